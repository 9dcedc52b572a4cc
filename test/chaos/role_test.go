package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/chaos/history"
	"github.com/granary-go/granary/test/chaos/network"
	"github.com/granary-go/granary/test/fleet"
)

const (
	clusterName  = "chaos"
	roleVariable = "GRANARY_CHAOS_ROLE"
	remotePort   = 8090
	pingPort     = 6331 // of automanaged

	startTimeout    = 100 * time.Second
	shutdownTimeout = 20 * time.Second
)

// A role is what a process is told.
type role struct {
	Name    string        `json:"name"` // of the process: no other of the run has it
	Folder  string        `json:"folder"`
	Host    string        `json:"host"` // its address
	Hosts   []string      `json:"hosts"`
	Backend string        `json:"backend"`
	Service string        `json:"service,omitempty"` // the address of the backend's
	Lease   time.Duration `json:"lease"`
	Pod     pod           `json:"pod"`
	Lookup  *where        `json:"lookup,omitempty"`

	Rate float64 `json:"rate,omitempty"` // of a member's lease clock

	Client bool      `json:"client,omitempty"`
	Number int       `json:"number,omitempty"` // a client's
	Seed   uint64    `json:"seed,omitempty"`
	Began  time.Time `json:"began"`          // the run
	Cold   int       `json:"cold,omitempty"` // identities that a client calls once, a second
}

// leased reports whether the backend has leases.
func (r role) leased() bool { return r.Backend != "automanaged" }

// What a process is told on its standard input, a line each, and what it answers when it has done so.
const (
	toBegin = "begin" // a client calls, a member sends messages
	toRest  = "rest"  // it stops, and waits for what is under way
	toProbe = "probe" // a client calls every grain until it answers
	toTally = "tally" // a client reads all accounts
	toGauge = "gauge" // it says what it holds
	toAudit = "audit" // a client has the members compare what they have
	toWeigh = "weigh" // a member says how many grains are active there
	// toSettle has a member wait until it is in the view, with a lease that is valid: the last fault may have taken these.
	toSettle = "settle"
	// toGaugeAfter is toGauge, when all faults are over.
	toGaugeAfter = "gauge after"

	hostsWord  = "hosts "  // before how many
	memberWord = "member " // before the id under which it has joined
	doneWord   = "done "   // before what it was told
	upWord     = "up"      // it may be told things
	badlyWord  = "left badly:"
)

func TestMain(m *testing.M) { fleet.Main(m, roleVariable, play) }

// play is the life of a process.
func play(r role) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	recorder, err := history.Open(filepath.Join(r.Folder, r.Name+".jsonl"), r.Name)
	if err != nil {
		return err
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	live := newMember
	if r.Client {
		live = newClient
	}
	p, err := live(ctx, r, system, recorder)
	if err == nil {
		fmt.Println(upWord)
		err = errors.Join(obey(ctx, os.Stdin, p), p.finish())
	}
	return errors.Join(err, system.ShutdownContext(context.Background()), recorder.Close())
}

// player is what a process does when it is told to.
type player interface {
	do(word string) error
	finish() error
}

// obey does what it is told, a line each, until it is to end.
func obey(ctx context.Context, in io.Reader, p player) error {
	words := make(chan string)
	go func() { // ends with the input, which the harness closes, or with the process
		defer close(words)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			words <- strings.TrimSpace(scanner.Text())
		}
	}()
	for {
		select {
		case word, ok := <-words:
			if !ok {
				return nil
			}
			if err := p.do(word); err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
			fmt.Println(doneWord + word)
		case <-ctx.Done():
			return nil
		}
	}
}

// configure is the cluster of a process.
func configure(r role, system *actor.ActorSystem, opts ...cluster.Option) (*cluster.Cluster, error) {
	provider, err := provide(r)
	if err != nil {
		return nil, err
	}
	station := network.Here()
	port := remotePort
	if r.Client {
		port = 0
	}
	opts = append(opts, r.Lookup.option(), cluster.WithStartTimeout(startTimeout), cluster.WithShutdownTimeout(shutdownTimeout))
	return cluster.New(system, cluster.Configure(clusterName, provider,
		remote.Configure(r.Host, port, remote.WithListener(station.Listen), remote.WithDialer(station.Dial)), opts...)), nil
}

// tell prints under which ids a process joins.
func tell(c *cluster.Cluster) {
	var last driver.MemberID
	actor.SubscribeTo(c.ActorSystem().EventStream, func(e *cluster.ClusterTopology) {
		id := c.MemberID()
		if _, in := e.View.Member(id); in && id != last {
			last = id
			fmt.Println(memberWord + string(id))
		}
	})
}
