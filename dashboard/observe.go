package dashboard

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// poll asks the cluster how it is, again and again, until the context is done.
func (d *Dashboard) poll(ctx context.Context) {
	ticker := time.NewTicker(d.config.interval)
	defer ticker.Stop()
	for over := newRates(); ; {
		a := d.ask(ctx)
		var counts *Calls
		if d.config.calls != nil {
			now := d.config.calls()
			counts = &now
		}
		d.publish(ctx, a, a.build(over, counts))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// ask puts the three questions side by side.
func (d *Dashboard) ask(ctx context.Context) *answers {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := &answers{at: time.Now()}
	var wg sync.WaitGroup
	wg.Go(func() { a.members, a.errs[0] = d.admin.Members(ctx, &pb.MembersRequest{}) })
	wg.Go(func() { a.kinds, a.errs[1] = d.admin.Kinds(ctx, &pb.KindsRequest{}) })
	wg.Go(func() { a.slots, a.errs[2] = d.admin.Slots(ctx, &pb.SlotsRequest{}) })
	wg.Wait()
	a.took = time.Since(a.at)
	return a
}

// publish keeps a snapshot and tells it, with the changes that no event has told.
func (d *Dashboard) publish(ctx context.Context, a *answers, s *snapshot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return // nobody looks any more, or others do and are served by other observers
	}
	h := &d.history
	if s.Error == "" {
		d.add(h.note.compare(a.members.GetMembers(), a.at)...)
		if h.points = append(h.points, s.point()); len(h.points) > MaxPoints {
			h.points = h.points[len(h.points)-MaxPoints:]
		}
		s.Gone = h.note.gone
	}
	s.Viewers = len(d.viewers)
	h.state = frame("state", s)
	d.tellState(h.state)
}

const (
	// firstPause and lastPause are between two tries to watch the cluster.
	firstPause = 500 * time.Millisecond
	lastPause  = 5 * time.Second
)

// follow tells what happens in the cluster, as long as the context goes. When a stream ends it
// begins another one.
func (d *Dashboard) follow(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began, err := d.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		if began {
			pause = firstPause
		}
		if began || pause == firstPause {
			d.happened(ctx, event{Type: "missed", Text: "the stream of events has ended; until the next one begins, some are missed: " + words(err)})
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// watch tells the events of one stream.
func (d *Dashboard) watch(ctx context.Context) (began bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.admin.Watch(ctx, &pb.WatchRequest{})
	for err == nil {
		var r *pb.WatchResponse
		if r, err = receive(stream); err == nil {
			began = true
			d.happened(ctx, shown(r.GetEvent()))
		}
	}
	return began, err
}

func receive(stream grpc.ServerStreamingClient[pb.WatchResponse]) (*pb.WatchResponse, error) {
	r, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		err = errors.New("dashboard: the member has ended the stream")
	}
	return r, err
}

// happened keeps an event and tells it, unless it is known that a member came or went.
func (d *Dashboard) happened(ctx context.Context, e event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	news, note := true, d.history.note
	switch e.Type {
	case "joined":
		news = note.came(*e.Member)
	case "leaving":
		note.active[e.Member.ID] = false
	case "left", "lost":
		news = note.went(*e.Member, e.Type == "lost", time.Now())
	}
	if news {
		d.add(e)
	}
}

// words are those of an error of the admin service.
func words(err error) string {
	if err == nil {
		return ""
	}
	if s, ok := status.FromError(err); ok {
		return short(s.Message(), maxText)
	}
	return short(err.Error(), maxText)
}
