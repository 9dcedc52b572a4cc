package partition

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/remote"
)

// fleet is several members and a client in one process, each with its own
// actor system, lookup and remote; they speak over loopback sockets. The views
// come from the test, at once and to all, instead of a provider. What is
// activated are actors that do nothing.
type fleet struct {
	tb     testing.TB
	meter  *meter
	seats  []*seat // of the members, whether they are in the view or not
	client *seat
	view   driver.View
	// ids has what fill has activated, by slot.
	ids [placement.SlotCount][]driver.Identity
}

// seat is one process of a fleet.
type seat struct {
	member driver.Member // without an ID for the client
	lookup *Lookup
}

func newFleet(tb testing.TB, ids ...driver.MemberID) *fleet {
	tb.Helper()
	f := &fleet{tb: tb, meter: new(meter), view: driver.View{Incarnation: "fleet", Epoch: 1}}
	f.client = f.sit("")
	for _, id := range ids {
		f.seats = append(f.seats, f.sit(id))
	}
	return f
}

func (f *fleet) sit(id driver.MemberID) *seat {
	f.tb.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	r := remote.NewRemote(system, remote.Configure("127.0.0.1", 0),
		remote.WithHandshake(remote.Handshake{Cluster: "fleet", Member: string(id)}), remote.WithCodec(f.meter))
	if err := r.Start(); err != nil {
		f.tb.Fatal(err)
	}
	lookup, err := New(Config{Config: lookup.Config{System: system, Self: id, Activator: &stage{system: system}, Logger: system.Logger()}})
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() {
		if err := lookup.Close(context.Background()); err != nil {
			f.tb.Error(err)
		}
		if err := r.Shutdown(false); err != nil {
			f.tb.Error(err)
		}
		system.Shutdown()
	})
	member := driver.Member{ID: id, Address: r.Address(), Kinds: []driver.Kind{{Name: "k"}}}
	return &seat{member: member, lookup: lookup}
}

// next makes the view that follows: these members, in this order.
func (f *fleet) next(ids ...driver.MemberID) driver.View {
	v := driver.View{Incarnation: f.view.Incarnation, Epoch: f.view.Epoch + 1, Previous: f.view.Epoch}
	for _, id := range ids {
		i := slices.IndexFunc(f.seats, func(s *seat) bool { return s.member.ID == id })
		v.Members = append(v.Members, f.seats[i].member)
	}
	return v
}

// show gives everybody a view, the client last.
func (f *fleet) show(v driver.View) {
	f.view = v
	for _, s := range f.seats {
		s.lookup.SetView(v)
	}
	f.client.lookup.SetView(v)
}

// fill activates n identities.
func (f *fleet) fill(n int) {
	f.tb.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if _, err := f.client.lookup.Resolve(f.tb.Context(), fleetID(i), "", driver.Fence{}); err != nil {
					f.tb.Errorf("activate %s: %v", fleetID(i), err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range int64(n) {
		id := fleetID(i)
		f.ids[placement.SlotOf(id)] = append(f.ids[placement.SlotOf(id)], id)
	}
}

func fleetID(i int64) driver.Identity {
	return driver.Identity{Kind: "k", Name: fmt.Sprintf("grain-%07d", i)}
}

// moves parts the slots that have identities into those that get another
// owner when one view follows another, and the others.
func (f *fleet) moves(from, to driver.View) (moved, retained []placement.Slot) {
	before, after := placement.NewTable(from), placement.NewTable(to)
	for s := range placement.Slot(placement.SlotCount) {
		owner, _ := after.Owner(s)
		switch {
		case len(f.ids[s]) == 0:
		case before.OwnedBy(s, owner.ID):
			retained = append(retained, s)
		default:
			moved = append(moved, s)
		}
	}
	return moved, retained
}

// entries counts the identities of slots.
func (f *fleet) entries(slots []placement.Slot) (n int) {
	for _, s := range slots {
		n += len(f.ids[s])
	}
	return n
}

// patience bounds how long slots may take to open that a view has just moved.
const patience = 30 * time.Second

// audit fails the test unless the tables of the owners and the activations of
// the hosts are the same n.
func (f *fleet) audit(n int) {
	f.tb.Helper()
	tables, hosted := make(map[placement.Entry]driver.MemberID), 0
	var hosts []HostSurvey
	for _, s := range f.seats {
		owner, err := s.lookup.SurveyOwner(context.Background())
		for began := time.Now(); err == nil && owner.Acquiring > 0 && time.Since(began) < patience; { // a view has just come
			owner, err = s.lookup.SurveyOwner(context.Background())
		}
		if err != nil {
			f.tb.Fatal(err)
		}
		host, err := s.lookup.SurveyHost(context.Background())
		if err != nil {
			f.tb.Fatal(err)
		}
		if owner.Acquiring+owner.Waiting+owner.Violations+host.Violations > 0 {
			f.tb.Errorf("%s: %d slots are acquired, %d resolves wait, %d and %d violations", s.member,
				owner.Acquiring, owner.Waiting, owner.Violations, host.Violations)
		}
		maps.Copy(tables, owner.Hosts)
		hosts = append(hosts, host)
	}
	for i, h := range hosts {
		for e := range h.Stopping {
			if hosted++; tables[e] != f.seats[i].member.ID {
				f.tb.Fatalf("%v is on %s, and the owners say on %q", e, f.seats[i].member, tables[e])
			}
		}
	}
	if len(tables) != n || hosted != n {
		f.tb.Errorf("%d entries in the tables of the owners and %d activations; want %d", len(tables), hosted, n)
	}
}

// meter is the lookup's codec, and counts what handovers put on the wire. What
// a member asks itself is not encoded, and not counted.
type meter struct {
	Codec

	messages, bytes, entries atomic.Int64
}

// Encode implements remote.Codec.
func (m *meter) Encode(message any) (name string, data []byte, ok bool, err error) {
	name, data, ok, err = m.Codec.Encode(message)
	p, _ := message.(*packet)
	if p == nil {
		return name, data, ok, err
	}
	switch p := p.Message.(type) {
	case *placement.Promise:
		for _, r := range p.Reports {
			m.entries.Add(int64(len(r.Entries)))
		}
	case *placement.Prepare:
	default:
		return name, data, ok, err
	}
	m.messages.Add(1)
	m.bytes.Add(int64(len(data)))
	return name, data, ok, err
}
