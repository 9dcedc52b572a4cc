package lease

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
	"github.com/granary-go/granary/test/process"
)

const (
	// limit bounds every wait for one thing. The machine may have other things to do.
	limit = 45 * time.Second
	// longCall is the time of calls that outlive their activation.
	longCall = 40 * time.Second
	// A client begins a call this often at most: the tests are no benchmarks.
	pace = 4 * time.Millisecond
)

// crew is the members of a cluster, each a process.
type crew struct {
	t       *testing.T
	role    role // of a member, but for its ping port
	notes   *fleet.Notes
	diary   *fleet.Diary
	mu      sync.Mutex // guards members and made
	members []*member
	made    int
}

// member is a process that is one.
type member struct {
	*process.Process
	id   driver.MemberID
	port *net.TCPAddr // where it answers pings, on automanaged
}

// newCrew starts n members: on etcd if it has an endpoint, else on automanaged.
func newCrew(t *testing.T, n int, endpoint string, ttl time.Duration) *crew {
	return newCrewOf(t, n, role{Endpoint: endpoint, TTL: ttl})
}

// newCrewOf starts n members that have the role given.
func newCrewOf(t *testing.T, n int, r role) *crew {
	r.Diary = t.TempDir() + "/diary"
	c := &crew{t: t, notes: fleet.NewNotes(t), role: r}
	var err error
	if c.diary, err = fleet.OpenDiary(c.role.Diary); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.diary.Close() })
	ports := make([]*net.TCPListener, n)
	for i := range ports {
		ports[i] = fleet.Listen(t)
		c.role.Hosts = append(c.role.Hosts, ports[i].Addr().String())
	}
	var wg sync.WaitGroup
	for _, port := range ports {
		wg.Go(func() { c.start(port) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return c
}

// replace starts a member in place of one that is gone, which answers pings where that did.
func (c *crew) replace(old *member) *member {
	c.t.Helper()
	port, err := net.ListenTCP("tcp", old.port)
	if err != nil {
		c.t.Fatal(err)
	}
	m := c.start(port)
	if m == nil {
		c.t.FailNow()
	}
	return m
}

func (c *crew) start(port *net.TCPListener) *member {
	defer port.Close()
	file, err := port.File()
	if err != nil {
		c.t.Error(err)
		return nil
	}
	defer file.Close()
	r := c.role
	m := &member{port: port.Addr().(*net.TCPAddr)}
	r.PingPort = m.port.Port
	if m.Process, err = fleet.Start(c.t, c.notes, c.name("member"), roleVariable, r, file); err != nil {
		c.t.Error(err)
		return nil
	}
	if m.id, err = m.joins(c.t.Context()); err != nil {
		c.t.Error(err)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
	return m
}

func (c *crew) name(what string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	return fmt.Sprint(what, " ", c.made)
}

// joins waits until the process has joined under an id that it did not have before.
func (m *member) joins(ctx context.Context) (driver.MemberID, error) {
	l, err := m.Next(ctx, limit, "word that it is a member", func(s string) bool { return strings.HasPrefix(s, memberWord) })
	return driver.MemberID(strings.TrimPrefix(l.Text, memberWord)), err
}

// known gives the id under which the process has joined last: a busy machine can cost a member its lease.
func (m *member) known() driver.MemberID {
	for _, l := range m.Drain(func(s string) bool { return strings.HasPrefix(s, memberWord) }) {
		m.id = driver.MemberID(strings.TrimPrefix(l.Text, memberWord))
	}
	return m.id
}

// says waits for a line that begins with a word.
func (c *crew) says(p *process.Process, word string) string {
	c.t.Helper()
	l, err := p.Next(c.t.Context(), limit, fmt.Sprintf("line with %q", word), func(s string) bool { return strings.HasPrefix(s, word) })
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimPrefix(l.Text, word)
}

// note writes into the diary, and the notes, what the test does to a member.
func (c *crew) note(word string, m *member) {
	c.notes.Add("test", word+" "+string(m.id))
	c.diary.Write(word, string(m.id), now())
}

// gone forgets a member whose process has ended.
func (c *crew) gone(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.members {
		if other == m {
			c.members = append(c.members[:i:i], c.members[i+1:]...)
			return
		}
	}
}

// client starts a client of the cluster in this process.
func (c *crew) client(name string, opts ...cluster.Option) *cluster.Cluster {
	c.t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(c.notes.Writer(name), nil))))
	provider := driver.Provider(automanaged.NewWithConfig(refresh, 0, c.role.Hosts...))
	if c.role.Endpoint != "" {
		provider = provide(c.role.Endpoint, c.role.TTL)
	}
	cl := cluster.New(system, cluster.Configure(clusterName, provider, c.role.remote(), opts...))
	if err := cl.StartClientContext(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := cl.Shutdown(true); err != nil {
			c.t.Error(err)
		}
	})
	return cl
}

// load has a client call counters until the test ends.
func (c *crew) load(name string, cl *cluster.Cluster, counters []counterName) *fleet.Load {
	l := begin(c.t.Context(), name, cl, c.diary, pace, counters)
	c.t.Cleanup(l.Stop)
	return l
}

// process starts a client that is a process.
func (c *crew) process(r role) *process.Process {
	c.t.Helper()
	r.Diary, r.Endpoint, r.TTL = c.role.Diary, c.role.Endpoint, c.role.TTL
	p, err := fleet.Start(c.t, c.notes, c.name("client"), roleVariable, r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.says(p, callsWord)
	return p
}

// end has all members leave, at once, and judges the diary. Some kinds may have had two activations of one identity.
func (c *crew) end(overlap ...string) *chronicle {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, m := range c.members {
		wg.Go(func() {
			if err := m.Terminate(limit); err != nil {
				c.t.Error(err)
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(c.role.Diary)
	if err != nil {
		c.t.Fatal(err)
	}
	told := readDiary(string(text), overlap...)
	for _, fault := range told.faults[:min(len(told.faults), maxFaults)] {
		c.t.Error(fault)
	}
	c.t.Logf("%s; %d faults", told.figures(), len(told.faults))
	// What the members themselves have found: an activation beside another, for example.
	for _, line := range c.notes.With(audit) {
		if len(overlap) == 0 {
			c.t.Error(line)
		} else {
			c.t.Log(line)
		}
	}
	return told
}

// audit is in what a member logs when its placement does not add up.
const audit = "placement audit"

// maxFaults is how many faults of one run are shown.
const maxFaults = 20

func since(t time.Time) time.Duration { return round(time.Since(t)) }

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
