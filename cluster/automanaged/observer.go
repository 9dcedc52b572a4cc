package automanaged

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
)

// observer is the session of a client: it follows the views of one member, and
// goes to another one when that falls silent.
type observer struct {
	config  config
	cluster string
	logger  *slog.Logger
	board   *board
	release func()
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	closer  sync.Once

	mu      sync.Mutex // guards the fields below
	hosts   map[string][]string
	trouble string                  // why nobody was reached, for people
	foreign map[string]bool         // hosts of other clusters that were logged
	hint    *time.Timer             // runs while a view that Refresh told of is awaited
	leave   context.CancelCauseFunc // ends the stream that is followed
}

func observe(c config, r driver.Request, release func()) *observer {
	ctx, cancel := context.WithCancel(context.Background())
	o := &observer{
		config: c, cluster: r.Cluster, logger: r.Logger, board: newBoard(), release: release,
		cancel: cancel, hosts: make(map[string][]string), foreign: make(map[string]bool),
	}
	o.wg.Go(func() { c.keepResolving(ctx, o.seeks, o.resolved) })
	o.wg.Go(func() { o.run(ctx) })
	return o
}

// seeks reports whether no member is followed.
func (o *observer) seeks() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leave == nil
}

func (o *observer) resolved(entry string, addresses []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(addresses) > 0 {
		o.hosts[entry] = addresses
	} else if o.hosts[entry] == nil {
		o.trouble = fmt.Sprintf("host %s has no address", entry)
	}
}

// run follows one member after the other.
func (o *observer) run(ctx context.Context) {
	pause, last, good := firstPause, "", time.Now()
	for ctx.Err() == nil {
		begin, patience := time.Now(), time.Duration(o.config.missed)*o.config.timeout()
		r := &race{observer: o, anew: begin.Sub(good) > patience}
		followed := r.run(ctx, func() []string { return o.candidates(last) })
		o.mu.Lock()
		o.leave = nil
		o.mu.Unlock()
		if followed != "" {
			pause, last, good = firstPause, followed, time.Now()
			if good.Sub(begin) > pause {
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, o.config.timeout())
	}
}

// firstPause is how long an observer waits after its first vain round.
const firstPause = 20 * time.Millisecond

// candidates gives where a member may be: first the members of the last view,
// then the list of hosts, each in an order of chance.
func (o *observer) candidates(last string) []string {
	shown, _ := o.board.read()
	var members, others []string
	for _, e := range shown.view.Entries {
		members = append(members, e.Ping)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, addresses := range o.hosts {
		for _, a := range addresses {
			if !slices.Contains(members, a) && !slices.Contains(others, a) {
				others = append(others, a)
			}
		}
	}
	for _, s := range [][]string{members, others} {
		rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	}
	all := slices.Concat(members, others)
	if i := slices.Index(all, last); i >= 0 {
		all = append(slices.Delete(all, i, i+1), last)
	}
	return all
}

var (
	errSilent = errors.New("automanaged: no answer in time")
	errBehind = errors.New("automanaged: others know a newer view")
	errOlder  = errors.New("automanaged: it has an older view")
	errLost   = errors.New("automanaged: another member was faster")
)

// stream opens the stream of a member's views and hands over each message's
// view, which is nil for a heartbeat.
func (o *observer) stream(ctx context.Context, address string, message func(*pb.View) error) error {
	c, err := o.config.connect(address, func() {})
	if err != nil {
		return err
	}
	defer c.giveUp()
	stream, err := pb.NewMembershipClient(c).Watch(ctx, &pb.WatchRequest{
		Cluster: o.cluster, HeartbeatMs: uint32(o.config.timeout() / time.Millisecond),
	})
	for err == nil {
		var m *pb.WatchResponse
		if m, err = stream.Recv(); err == nil {
			err = message(m.GetView())
		}
	}
	return err
}

// blame notes why a member could not be followed, or not any longer.
func (o *observer) blame(address string, err error) {
	o.mu.Lock()
	o.trouble = fmt.Sprintf("%s: %s", address, reason(err))
	tell := status.Code(err) == codes.FailedPrecondition && !o.foreign[address]
	if tell {
		o.foreign[address] = true
	}
	o.mu.Unlock()
	if tell {
		o.logger.Warn("automanaged: a host belongs to another cluster", "host", address, "reason", reason(err))
	}
}

// Watch implements [driver.Session].
func (o *observer) Watch(ctx context.Context, after uint64) (driver.View, error) {
	for {
		shown, changed := o.board.read()
		switch {
		case shown.over != nil:
			return driver.View{}, shown.over
		case shown.view.Epoch > after:
			return shown.view.Driver(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			o.mu.Lock()
			defer o.mu.Unlock()
			if shown.view.Epoch == 0 && o.trouble != "" {
				return driver.View{}, fmt.Errorf("automanaged: no member reached: %s: %w", o.trouble, ctx.Err())
			}
			return driver.View{}, ctx.Err()
		}
	}
}

// Lease implements [driver.Session].
func (o *observer) Lease() driver.Lease { return nil }

// Refresh implements [driver.Session]. If the view has not come within a short
// while, the observer asks another member.
func (o *observer) Refresh(epoch uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if shown, _ := o.board.read(); shown.over == nil && shown.view.Epoch < epoch && o.hint == nil {
		o.hint = time.AfterFunc(quickest, func() { o.doubt(epoch) })
	}
}

func (o *observer) doubt(epoch uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hint = nil
	if shown, _ := o.board.read(); shown.view.Epoch < epoch && o.leave != nil {
		o.leave(errBehind)
	}
}

// Drain implements [driver.Session]: there is nothing to do.
func (o *observer) Drain(context.Context) error { return nil }

// Leave implements [driver.Session]: there is nothing to do.
func (o *observer) Leave(context.Context) error { return nil }

// Close implements [driver.Session].
func (o *observer) Close() error {
	o.closer.Do(func() {
		o.board.post(func(p *posted) { p.over = driver.ErrClosed })
		o.cancel()
		o.wg.Wait()
		o.mu.Lock()
		if o.hint != nil {
			o.hint.Stop()
		}
		o.mu.Unlock()
		o.release()
	})
	return nil
}
