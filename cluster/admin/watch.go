package admin

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// pollEvery is how often the other members are asked what has happened there.
	pollEvery = 500 * time.Millisecond
	// maxGatheredEvents is how many events of others wait for somebody who reads slowly.
	maxGatheredEvents = 1024
)

// Watch implements the service. What concerns the whole cluster is told by this process;
// dead letters, leases and connections by each member, which is asked for them.
func (s *server) Watch(r *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	ctx, view, done, err := s.beginInView(stream.Context(), Request{Operation: Watch})
	if err != nil {
		return err
	}
	defer done()
	if s.watchers.Add(1) > MaxWatchers {
		s.watchers.Add(-1)
		return status.Errorf(codes.ResourceExhausted, "admin: this member serves %d streams of events already: end one, or ask another member", MaxWatchers)
	}
	defer s.watchers.Add(-1)
	after := s.journal.now()
	if r.GetAfter() > 0 && r.After < after {
		after = r.After
	}
	began := &pb.Event{AtUnixNanos: time.Now().UnixNano(), Member: s.self(), Number: after, What: &pb.Event_Began{Began: viewOut(view, true)}}
	if err := stream.Send(&pb.WatchResponse{Event: began}); err != nil {
		return err
	}
	gathered := make(chan *pb.Event, maxGatheredEvents)
	if !r.GetLocal() {
		polling, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		defer func() { stop(); <-ended }()
		go func() {
			defer close(ended)
			s.gather(polling, gathered)
		}()
	}
	return s.stream(ctx, after, gathered, stream)
}

// stream sends events until the caller or this process ends.
func (s *server) stream(ctx context.Context, after uint64, gathered <-chan *pb.Event, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	for {
		events, changed := s.journal.read(after)
		after = events.Last
		if events.Missed > 0 {
			if err := stream.Send(&pb.WatchResponse{Event: missed(s.self(), events.Missed)}); err != nil {
				return err
			}
		}
		for _, e := range events.Events {
			if err := stream.Send(&pb.WatchResponse{Event: e}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case e := <-gathered:
			if err := stream.Send(&pb.WatchResponse{Event: e}); err != nil {
				return err
			}
		case <-ctx.Done():
			if s.ctx.Err() != nil {
				return status.Error(codes.Unavailable, "admin: this member shuts down: watch another one")
			}
			return ctx.Err()
		}
	}
}

func missed(who *pb.MemberRef, n uint64) *pb.Event {
	return &pb.Event{AtUnixNanos: time.Now().UnixNano(), Member: who, What: &pb.Event_Missed{Missed: &pb.Missed{Count: n}}}
}

// followed is how far another member has been read.
type followed struct {
	after  uint64
	silent bool
	missed uint64 // for want of room
}

// gather asks the other members again and again, until ctx is done.
func (s *server) gather(ctx context.Context, to chan<- *pb.Event) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	follow := make(map[string]*followed) // by address: a process that joins again goes on
	for first := uint64(math.MaxUint64); ; first = 0 {
		var others []driver.Member
		former := follow
		follow = make(map[string]*followed)
		for _, m := range s.cluster.Members() {
			if m.ID == s.cluster.MemberID() {
				continue
			}
			others = append(others, m)
			if follow[m.Address] = former[m.Address]; follow[m.Address] == nil {
				follow[m.Address] = &followed{after: first}
			}
		}
		answers := s.askAll(ctx, others, func(m driver.Member) *pb.Ask {
			return &pb.Ask{What: &pb.Ask_Events{Events: &pb.EventsAsk{After: follow[m.Address].after}}}
		})
		if ctx.Err() != nil {
			return
		}
		for i, m := range others {
			follow[m.Address].take(refTo(m), answers[i], to)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// take hands on what a member has told. It does not wait: what finds no room is counted.
func (f *followed) take(who *pb.MemberRef, said *pb.Answer, to chan<- *pb.Event) {
	put := func(e *pb.Event) {
		select {
		case to <- e:
		default:
			f.missed++
		}
	}
	if failure := said.GetFailure(); failure != nil {
		if !f.silent {
			f.silent = true
			put(&pb.Event{AtUnixNanos: time.Now().UnixNano(), Member: who, What: &pb.Event_Silent{Silent: failure}})
		}
		return
	}
	f.silent = false
	events := said.GetEvents()
	if restarted := f.after != math.MaxUint64 && events.GetLast() < f.after; restarted {
		f.after = 0 // another process, at the same address
		return
	}
	f.after = events.GetLast()
	for _, e := range events.GetEvents() {
		put(e)
	}
	if f.missed += events.GetMissed(); f.missed > 0 {
		select {
		case to <- missed(who, f.missed):
			f.missed = 0
		default: // told when there is room
		}
	}
}
