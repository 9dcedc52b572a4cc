package admin

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup/partition"
	"github.com/granary-go/granary/internal/placement"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Members implements the service.
func (s *server) Members(ctx context.Context, r *pb.MembersRequest) (*pb.MembersResponse, error) {
	ctx, view, done, err := s.beginInView(ctx, Request{Operation: Members})
	if err != nil {
		return nil, err
	}
	defer done()
	out := &pb.MembersResponse{
		Cluster: clean(s.cluster.Name(), maxName), Incarnation: clean(view.Incarnation, maxName), Epoch: view.Epoch, AnsweredBy: s.self(),
	}
	owned := s.owned(view)
	for _, m := range view.Members {
		member := memberOut(m)
		member.Slots = owned[m.ID]
		out.Members = append(out.Members, member)
	}
	if r.GetBrief() {
		return out, nil
	}
	answers := s.askAll(ctx, view.Members, same(&pb.Ask{What: &pb.Ask_Status{Status: &pb.StatusAsk{}}}))
	for i, a := range answers {
		out.Members[i].Status = a.GetStatus()
	}
	out.Failures = failures(answers)
	return out, nil
}

// owned counts the slots of members; nothing where a database has the places.
func (s *server) owned(view driver.View) map[driver.MemberID]uint32 {
	owned := make(map[driver.MemberID]uint32)
	if s.cluster.Inspect().HasLookupStore() {
		return owned
	}
	table := placement.NewTable(view)
	for slot := range placement.Slot(placement.SlotCount) {
		if m, ok := table.Owner(slot); ok {
			owned[m.ID]++
		}
	}
	return owned
}

// status is what this process says of itself.
func (s *server) status(ctx context.Context) *pb.Status {
	inspect := s.cluster.Inspect()
	survey, traffic, counters := inspect.Survey(), inspect.Traffic(), s.cluster.Counters()
	unready := inspect.Unready(ctx)
	out := &pb.Status{
		Member: s.self(), AtUnixNanos: time.Now().UnixNano(), StartedUnixNanos: s.began.UnixNano(),
		Epoch: s.cluster.View().Epoch, Lease: leaseOut(s.cluster.Lease()), Ready: len(unready) == 0,
		Sent: traffic.Sent, Received: traffic.Received, Undecodable: traffic.Undecodable,
		RefusedConnections: traffic.Refused, Connections: uint32(max(traffic.Connections, 0)),
		DeadLetters: s.journal.deadLetters(), RefusedViews: counters.RefusedViews, Fenced: counters.Fenced,
		RefusedTurns: counters.RefusedTurns, Withheld: counters.Withheld, Evicted: counters.Evicted,
		Version: version(), GoVersion: runtime.Version(),
	}
	for _, why := range unready {
		out.Unready = append(out.Unready, clean(why, maxText))
	}
	for _, k := range survey.Kinds {
		out.Activated += k.Activated
		out.Handled += k.Handled
	}
	out.Active = inspect.Active()
	if slots, err := inspect.Slots(partition.Key{}); err == nil {
		if load, err := slots.Load(ctx); err == nil {
			out.Open, out.Acquiring = uint32(load.Open), uint32(len(load.Acquiring))
			out.Entries, out.Waiting = int64(load.Entries), int64(load.Waiting)
		}
		if sample, err := slots.Sample(ctx, 0); err == nil {
			out.Violations = int64(sample.Violations)
		}
	}
	for _, op := range s.config.allowed {
		out.Allowed = append(out.Allowed, string(op))
	}
	out.HeapBytes, out.Goroutines = process()
	return out
}

// process reads the size of this process.
func process() (heap, goroutines uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(samples)
	read := func(v metrics.Value) uint64 {
		if v.Kind() == metrics.KindUint64 {
			return v.Uint64()
		}
		return 0
	}
	return read(samples[0].Value), read(samples[1].Value)
}

// version is that of the module granary, as this program was built with it.
var version = sync.OnceValue(func() string {
	const module = "github.com/granary-go/granary"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == module {
			if m.Replace != nil && strings.HasPrefix(m.Replace.Path, ".") {
				return "(devel)"
			}
			return m.Version
		}
	}
	if info.Main.Path == module {
		return info.Main.Version
	}
	return ""
})
