package admin

import (
	"math"
	"sync"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// maxEvents is how many events a process keeps. Whoever reads more slowly than they
	// come misses some, and is told how many.
	maxEvents = 1024
	// maxTold is how many events another member is told at a time.
	maxTold = 256
)

// journal keeps the last events of a process. Those who watch read it at their own pace:
// none of them holds up whoever publishes an event, and none takes memory.
type journal struct {
	server *server
	sub    *actor.Subscription

	mu      sync.Mutex // guards what follows
	kept    [maxEvents]*pb.Event
	last    uint64        // the number of the newest
	changed chan struct{} // closed by the next one
	view    driver.View   // the last that was told
	known   bool
	samples samples
}

func newJournal(s *server) *journal {
	j := &journal{server: s, changed: make(chan struct{})}
	j.sub = s.system.EventStream.Subscribe(j.happened)
	return j
}

func (j *journal) close() {
	j.server.system.EventStream.Unsubscribe(j.sub)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.samples.end()
}

// happened is called by whoever publishes, which may be several.
func (j *journal) happened(event any) {
	switch e := event.(type) {
	case *cluster.ClusterTopology:
		j.viewChanged(e)
	case *cluster.MemberLease:
		j.add(&pb.Event{What: &pb.Event_Lease{Lease: &pb.LeaseChanged{Lease: leaseOut(e.Phase)}}})
	case *remote.EndpointConnectedEvent:
		j.add(&pb.Event{What: &pb.Event_Connection{Connection: &pb.ConnectionChanged{Peer: peer(e.Address, e.Member), Connected: true}}})
	case *remote.EndpointTerminatedEvent:
		why := ""
		if e.Cause != nil {
			why = clean(e.Cause.Error(), maxText)
		}
		j.add(&pb.Event{What: &pb.Event_Connection{Connection: &pb.ConnectionChanged{Peer: peer(e.Address, e.Member), Why: why}}})
	case *actor.DeadLetterEvent:
		j.deadLetter(e)
	}
}

func peer(address, member string) *pb.MemberRef {
	return &pb.MemberRef{Id: clean(member, maxName), Address: clean(address, maxName)}
}

func (j *journal) add(events ...*pb.Event) {
	now, self := time.Now().UnixNano(), j.server.self()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range events {
		j.last++
		e.Number, e.AtUnixNanos, e.Member = j.last, now, self
		j.kept[j.last%maxEvents] = e
	}
	if len(events) > 0 {
		close(j.changed)
		j.changed = make(chan struct{})
	}
}

// viewChanged tells what a view changes. Views are published by one goroutine.
func (j *journal) viewChanged(e *cluster.ClusterTopology) {
	j.mu.Lock()
	old, known := j.view, j.known
	j.view, j.known = e.View, true
	j.mu.Unlock()
	view := viewOut(e.View, false)
	// Where nothing was known, or another incarnation, it may be a first one.
	view.Unites = known && e.View.Previous == 0 && e.View.Incarnation == old.Incarnation
	events := []*pb.Event{{What: &pb.Event_View{View: view}}}
	for _, m := range e.Joined {
		events = append(events, &pb.Event{What: &pb.Event_Joined{Joined: &pb.MemberChanged{Member: refTo(m), Epoch: e.View.Epoch}}})
	}
	for _, m := range e.Left {
		// It may have said that it leaves in a view that was never published here.
		silently := m.State == driver.Active
		// Epochs need not be consecutive. Of one that unites two sides nobody can tell what was before it.
		all := known && e.View.Previous == old.Epoch
		events = append(events, &pb.Event{What: &pb.Event_Left{Left: &pb.MemberChanged{
			Member: refTo(m), Epoch: e.View.Epoch, Lost: silently && all, UnknownHow: silently && !all,
		}}})
	}
	for _, m := range e.View.Members {
		if before, had := old.Member(m.ID); had && m.State == driver.Leaving && before.State != driver.Leaving {
			events = append(events, &pb.Event{What: &pb.Event_Leaving{Leaving: &pb.MemberChanged{Member: refTo(m), Epoch: e.View.Epoch}}})
		}
	}
	if e.MovedSlots > 0 && !j.server.cluster.Inspect().HasLookupStore() {
		slots := &pb.SlotsMoved{Epoch: e.View.Epoch, Moved: uint32(e.MovedSlots)}
		if j.server.watchers.Load() > 0 { // whoever publishes a view waits for this
			slots.Shares = shares(old, e.View)
		}
		events = append(events, &pb.Event{What: &pb.Event_Slots{Slots: slots}})
	}
	j.add(events...)
}

// shares compares how many slots members have in two views.
func shares(old, now driver.View) (out []*pb.SlotShare) {
	before, after := placement.NewTable(old), placement.NewTable(now)
	had, has := make(map[driver.MemberID]uint32), make(map[driver.MemberID]uint32)
	for slot := range placement.Slot(placement.SlotCount) {
		a, _ := before.Owner(slot)
		b, _ := after.Owner(slot)
		had[a.ID]++
		has[b.ID]++
	}
	tell := func(m driver.Member) {
		if had[m.ID] != has[m.ID] {
			out = append(out, &pb.SlotShare{Member: refTo(m), Before: had[m.ID], After: has[m.ID]})
		}
	}
	for _, m := range now.Members {
		tell(m)
	}
	for _, m := range old.Members {
		if _, in := now.Member(m.ID); !in {
			tell(m)
		}
	}
	return out
}

func viewOut(v driver.View, members bool) *pb.ViewChanged {
	out := &pb.ViewChanged{Incarnation: clean(v.Incarnation, maxName), Epoch: v.Epoch, Count: uint32(len(v.Members))}
	if members {
		for _, m := range v.Members {
			out.Members = append(out.Members, refTo(m))
		}
	}
	return out
}

func (j *journal) deadLetters() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.samples.dead
}

// now gives the number of the newest event.
func (j *journal) now() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// events gives what happened behind an event, for another member: not what that one knows
// itself, and so much as fits into a message.
func (j *journal) events(after uint64) *pb.Events {
	all, _ := j.read(after)
	out := &pb.Events{Last: all.Last, Missed: all.Missed}
	for _, e := range all.Events {
		switch e.GetWhat().(type) {
		case *pb.Event_View, *pb.Event_Joined, *pb.Event_Left, *pb.Event_Leaving, *pb.Event_Slots:
			continue
		}
		if len(out.Events) == maxTold {
			out.Last = out.Events[maxTold-1].Number
			break
		}
		out.Events = append(out.Events, e)
	}
	return out
}

// read also gives a channel that is closed when more has happened.
func (j *journal) read(after uint64) (*pb.Events, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := &pb.Events{Last: j.last}
	if after == math.MaxUint64 || after >= j.last {
		return out, j.changed
	}
	first := after + 1
	if oldest := j.last - min(j.last, maxEvents) + 1; first < oldest {
		out.Missed = oldest - first
		first = oldest
	}
	for n := first; n <= j.last; n++ {
		out.Events = append(out.Events, j.kept[n%maxEvents])
	}
	return out, j.changed
}
