package automanaged

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
)

// race is an observer's search for a member to follow: it asks one candidate
// after the other, the next one as soon as one has failed, or has been silent
// for [headStart]. The first to give a view that can be used is followed.
type race struct {
	observer *observer
	// anew is set when nobody could be followed for so long that an older view
	// must be another cluster's.
	anew bool

	// The fields below are guarded by the observer's mu.
	won     string
	runners map[string]context.CancelCauseFunc
}

// headStart is how long a candidate may be silent until the next one is asked
// as well.
const headStart = 200 * time.Millisecond

// run asks candidates until one has been followed and has fallen silent, and
// gives its address; empty if there was none to follow. Hosts that are looked
// up meanwhile take part.
func (r *race) run(ctx context.Context, candidates func() []string) string {
	r.runners = make(map[string]context.CancelCauseFunc)
	ended := make(chan struct{})
	next := time.NewTicker(headStart)
	defer next.Stop()
	asked, running := make(map[string]bool), 0
	for {
		if ctx.Err() == nil && r.winner() == "" {
			all := candidates()
			if i := slices.IndexFunc(all, func(a string) bool { return !asked[a] }); i >= 0 {
				asked[all[i]] = true
				running++
				go func() {
					r.follow(ctx, all[i])
					ended <- struct{}{}
				}()
			}
		} else {
			next.Stop()
		}
		if running == 0 {
			return r.winner()
		}
		select {
		case <-next.C:
		case <-ended:
			running--
			next.Reset(headStart) // the next one is asked at once
		}
	}
}

func (r *race) winner() string {
	r.observer.mu.Lock()
	defer r.observer.mu.Unlock()
	return r.won
}

// follow takes the views of one member until it falls silent.
func (r *race) follow(ctx context.Context, address string) {
	o := r.observer
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(o.config.timeout(), func() { cancel(errSilent) })
	defer silence.Stop()
	o.mu.Lock()
	if r.won != "" {
		o.mu.Unlock()
		return
	}
	r.runners[address] = cancel
	o.mu.Unlock()
	followed := false
	err := o.stream(ctx, address, func(v *pb.View) error {
		if v != nil {
			if err := r.take(address, v); err != nil {
				return err
			}
			followed = true
		}
		if followed {
			silence.Reset(time.Duration(o.config.missed) * o.config.timeout())
		}
		return nil
	})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if !errors.Is(err, errLost) {
		o.blame(address, err)
	}
}

// take takes a view that a member gave. With the first that can be used the
// race is won.
func (r *race) take(address string, w *pb.View) error {
	v, err := viewFromWire(w)
	if err != nil {
		return err
	}
	o := r.observer
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.won != "" && r.won != address {
		return errLost
	}
	o.board.post(func(p *posted) {
		switch {
		case v.Epoch >= p.view.Epoch:
			p.view = v
		case r.anew:
			p.over = driver.ErrRemoved
		default:
			err = errOlder
		}
	})
	if err != nil || r.won != "" {
		return err
	}
	r.won, o.leave = address, r.runners[address]
	for other, cancel := range r.runners {
		if other != address {
			cancel(errLost)
		}
	}
	return nil
}
