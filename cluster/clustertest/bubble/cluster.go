package bubble

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/remote"
)

const (
	leaseTime  = 2 * time.Second
	startLimit = time.Minute
	maxMembers = 100
	maxDelay   = time.Minute
	farewell   = time.Minute
)

// Options say which cluster a test has.
type Options struct {
	// Members is how many there are at first, from 1 to 100.
	Members int
	// Member gives the options of a member, by its number: its kinds, above all.
	// It is called once for each, also for those that are added later.
	Member func(number int) []cluster.Option
}

// Cluster is a whole cluster within one testing/synctest bubble: members and a
// client with real remotes on a network in memory, and a [clustertest.RecordStore] whose
// leases last 2 s of the bubble's time. Its methods are called by one goroutine
// at a time.
type Cluster struct {
	t       *testing.T
	options Options
	store   *clustertest.RecordStore
	network *network
	client  *cluster.Cluster
	members []*member
	heals   []func() // of ways to the store
}

type member struct {
	*cluster.Cluster
	dead bool
}

// clientNumber is the client's, in the network.
const clientNumber = -1

// Run starts a cluster in a bubble of its own, calls f, and ends the cluster. f uses
// the t that it is given, and its context: those outside do not belong to the
// bubble. The test fails if the options are nonsense or a process does not start.
func Run(t *testing.T, o Options, f func(t *testing.T, c *Cluster)) {
	t.Helper()
	if o.Members < 1 || o.Members > maxMembers {
		t.Fatalf("bubble: Options.Members is %d; it must be from 1 to %d", o.Members, maxMembers)
	}
	if o.Member == nil {
		t.Fatal("bubble: Options.Member is nil; it must give the kinds of a member")
	}
	synctest.Test(t, func(t *testing.T) {
		c := &Cluster{t: t, options: o, store: clustertest.NewRecordStore(), network: newNetwork()}
		defer c.end()
		for range o.Members {
			c.Add()
		}
		c.client = c.build(clientNumber, nil)
		if err := c.client.StartClientContext(t.Context()); err != nil {
			t.Fatalf("bubble: the client does not start: %v", err)
		}
		if err := c.Settle(startLimit); err != nil {
			t.Fatal(err)
		}
		f(t, c)
	})
}

// Client is a client of the cluster, which hosts no grains and is never cut off.
func (c *Cluster) Client() *cluster.Cluster { return c.client }

// Store is where the membership is kept.
func (c *Cluster) Store() *clustertest.RecordStore { return c.store }

// Member gives a member by its number, from 0 on. The test fails if there was
// none, or it was killed.
func (c *Cluster) Member(number int) *cluster.Cluster {
	c.t.Helper()
	return c.alive(number).Cluster
}

// Alive gives the numbers of the members that were not killed.
func (c *Cluster) Alive() (numbers []int) {
	for i, m := range c.members {
		if !m.dead {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// Add starts another member and gives its number.
func (c *Cluster) Add() int {
	c.t.Helper()
	number := len(c.members)
	m := c.build(number, c.options.Member(number))
	c.members = append(c.members, &member{Cluster: m})
	if err := m.StartContext(c.t.Context()); err != nil {
		c.t.Fatalf("bubble: member %d does not start: %v", number, err)
	}
	return number
}

// Kill ends a member as if its process had crashed: the others learn of it
// when its lease has run out.
func (c *Cluster) Kill(number int) {
	c.t.Helper()
	m := c.alive(number)
	c.store.Link(linkOf(number)).Cut()
	for i := clientNumber; i < len(c.members); i++ {
		c.cutBoth(number, i)
	}
	m.dead = true
	c.network.release(number)
	stop(m.Cluster)
}

// Cut closes the connections that member from has dialled to member to, and
// refuses new ones, until Heal. Those of the other direction live on.
func (c *Cluster) Cut(from, to int) {
	c.t.Helper()
	c.alive(from)
	c.alive(to)
	c.network.cut(way{from, to})
}

// CutStore cuts a member off the store, until Heal: its lease runs out.
func (c *Cluster) CutStore(number int) {
	c.t.Helper()
	c.alive(number)
	c.heals = append(c.heals, c.store.Link(linkOf(number)).Stall())
}

// Isolate cuts a member off everybody, both ways, and off the store, until Heal.
func (c *Cluster) Isolate(number int) {
	c.t.Helper()
	c.CutStore(number)
	for i := clientNumber; i < len(c.members); i++ {
		c.cutBoth(number, i)
	}
}

// Pause holds what a member sends, and what it is sent, and its calls of the store, until Heal: connections stay, and what
// was held arrives then. So the others see a process that was stopped, or waits for its disk, and its lease runs out. Its
// own grains and clock go on.
func (c *Cluster) Pause(number int) {
	c.t.Helper()
	c.CutStore(number)
	c.network.hold(number)
}

// Slow makes what two members send each other take d longer, from 0 to one minute, until Heal: one message after the
// other, so that a link has less throughput, too.
func (c *Cluster) Slow(a, b int, d time.Duration) {
	c.t.Helper()
	c.alive(a)
	c.alive(b)
	if d < 0 || d > maxDelay {
		c.t.Fatalf("bubble: a link cannot be slower by %v; it must be from 0 to %v", d, maxDelay)
	}
	c.network.slow(way{a, b}, d)
	c.network.slow(way{b, a}, d)
}

// Heal makes an end of all cuts, pauses and delays. The killed stay dead.
func (c *Cluster) Heal() {
	c.network.heal()
	for _, heal := range c.heals {
		heal()
	}
	c.heals = nil
}

// Settle waits until the client and all living members see exactly the living
// members, for at most d of the bubble's time.
func (c *Cluster) Settle(d time.Duration) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(c.t.Context(), d)
	defer cancel()
	for !c.settled() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("bubble: after %v the client's view is not of the %d living members: %+v", d, len(c.Alive()), c.client.View())
		}
	}
	return nil
}

func (c *Cluster) settled() bool {
	want := make(map[string]bool)
	for _, i := range c.Alive() {
		want[string(c.members[i].MemberID())] = true
	}
	sees := func(of *cluster.Cluster) bool {
		view := of.Members()
		for _, m := range view {
			if !want[string(m.ID)] {
				return false
			}
		}
		return len(view) == len(want)
	}
	for _, i := range c.Alive() {
		if !sees(c.members[i].Cluster) {
			return false
		}
	}
	return sees(c.client)
}

func (c *Cluster) alive(number int) *member {
	c.t.Helper()
	if number < 0 || number >= len(c.members) {
		c.t.Fatalf("bubble: there is no member %d; there have been %d, from 0 on", number, len(c.members))
	}
	if c.members[number].dead {
		c.t.Fatalf("bubble: member %d was killed before", number)
	}
	return c.members[number]
}

func (c *Cluster) cutBoth(a, b int) {
	if a != b {
		c.network.cut(way{a, b})
		c.network.cut(way{b, a})
	}
}

func linkOf(number int) string { return "process " + strconv.Itoa(number) }

func (c *Cluster) build(number int, options []cluster.Option) *cluster.Cluster {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	provider := c.store.ProviderAt(linkOf(number), record.WithTTL(leaseTime), record.WithPause(20*time.Millisecond))
	return cluster.New(system, cluster.Configure("test", provider, remote.Configure("127.0.0.1", 0,
		remote.WithListener(c.network.listen(number)), remote.WithDialer(c.network.dial(number))), options...))
}

func (c *Cluster) end() {
	c.Heal()
	for _, m := range c.members {
		if !m.dead {
			stop(m.Cluster)
		}
	}
	if c.client != nil {
		stop(c.client)
	}
	// The time of a bubble stands still when its function has returned: whoever waits for a timer to end does so now.
	timer := time.NewTimer(farewell)
	<-timer.C
}

// stop ends a process. What it cannot tell the others any more is no failure.
func stop(c *cluster.Cluster) {
	_ = c.Shutdown(false)
	c.ActorSystem().Shutdown()
}
