package directory

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/remote"
)

// fleet is several members and a client in one process, each with its own actor
// system, lookup and remote; they speak over loopback sockets. The views come
// from the test instead of a provider.
type fleet struct {
	t      *testing.T
	store  *clustertest.EntryStore
	seats  []*seat // of the members, whether they are in the view or not
	client *seat
	view   driver.View
}

// seat is one process of a fleet.
type seat struct {
	*Lookup
	member driver.Member // without an ID for the client
	stage  *stage
	log    *journal
	asked  chan uint64 // gets the epochs of Refresh
	failed chan error
}

func newFleet(t *testing.T, ids ...driver.MemberID) *fleet {
	t.Helper()
	f := &fleet{t: t, store: clustertest.NewEntryStore(), view: driver.View{Incarnation: "fleet", Epoch: 1}}
	f.client = f.sit("", nil)
	for _, id := range ids {
		f.seats = append(f.seats, f.sit(id, nil))
	}
	f.show(ids...)
	return f
}

func (f *fleet) sit(id driver.MemberID, change func(*Config)) *seat {
	f.t.Helper()
	s := &seat{log: new(journal), asked: make(chan uint64, 100), failed: make(chan error, 1)}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	r := remote.NewRemote(system, remote.Configure("127.0.0.1", 0),
		remote.WithHandshake(remote.Handshake{Cluster: "fleet", Member: string(id)}))
	if err := r.Start(); err != nil {
		f.t.Fatal(err)
	}
	store, err := f.store.OpenEntries(f.t.Context(), "fleet")
	if err != nil {
		f.t.Fatal(err)
	}
	s.stage = &stage{system: system}
	cfg := Config{Store: store, Config: lookup.Config{
		System: system, Self: id, Activator: s.stage, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
		Refresh: func(epoch uint64) {
			select {
			case s.asked <- epoch:
			default:
			}
		},
		Failed: func(err error) { s.failed <- err },
	}}
	if change != nil {
		change(&cfg)
	}
	if s.Lookup, err = New(cfg); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			f.t.Error(err)
		}
		if err := r.Shutdown(false); err != nil {
			f.t.Error(err)
		}
		system.Shutdown()
	})
	s.member = driver.Member{ID: id, Address: r.Address(), Kinds: []driver.Kind{{Name: "k"}, {Name: "leased", Guarantee: driver.Leased}, {Name: "odd", Strategy: "odd"}}}
	return s
}

// next makes the view that follows: these members, in this order.
func (f *fleet) next(ids ...driver.MemberID) driver.View {
	v := driver.View{Incarnation: f.view.Incarnation, Epoch: f.view.Epoch + 1, Previous: f.view.Epoch}
	for _, id := range ids {
		v.Members = append(v.Members, f.seat(id).member)
	}
	f.view = v
	return v
}

// show gives everybody the view that follows.
func (f *fleet) show(ids ...driver.MemberID) {
	v := f.next(ids...)
	for _, s := range append(f.seats, f.client) {
		s.SetView(v)
	}
}

func (f *fleet) seat(id driver.MemberID) *seat {
	return f.seats[slices.IndexFunc(f.seats, func(s *seat) bool { return s.member.ID == id })]
}

func (f *fleet) resolve(s *seat, id driver.Identity, suspect driver.Fence) lookup.Activation {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	found, err := s.Resolve(ctx, id, s.member.ID, suspect)
	if err != nil {
		f.t.Fatalf("resolve %s: %v", id, err)
	}
	return found
}

// ready waits until the members of the view take activations.
func (f *fleet) ready() {
	f.t.Helper()
	for _, m := range f.view.Members {
		n := 0
		f.until(string(m.ID)+" hosts something", func() bool {
			n++
			return f.resolve(f.seat(m.ID), grain(fmt.Sprint("on ", m.ID, n)), driver.Fence{}).Member.ID == m.ID
		})
	}
}

func (f *fleet) entry(id driver.Identity) driver.Entry { return f.store.Entries("fleet")[id] }

// until waits for a condition.
func (f *fleet) until(what string, holds func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			f.t.Fatalf("not in time: %s", what)
		}
	}
}

// stage activates actors that do nothing.
type stage struct {
	system *actor.ActorSystem

	mu   sync.Mutex // guards the fields below
	pids map[driver.Identity]*actor.PID
}

func (s *stage) Activate(id driver.Identity, _ driver.Fence, _ actor.MessageHeader) *actor.PID {
	if id.Name == "panics" {
		panic("no room on the stage")
	}
	pid := s.system.Root.SpawnPrefix(actor.PropsFromFunc(func(actor.Context) {}), id.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pids == nil {
		s.pids = make(map[driver.Identity]*actor.PID)
	}
	s.pids[id] = pid
	return pid
}

func (s *stage) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pids)
}

func (s *stage) stop(id driver.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.system.Root.Stop(s.pids[id])
}

// journal keeps a log.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(s string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Count(j.text.Bytes(), []byte(s))
}
