package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/granary-go/granary/actor"
)

// MaxGrainTimers is how many timers an activation may have.
const MaxGrainTimers = 1024

// ErrTimer is returned for a timer whose time is not positive, that has no function, or where
// the activation has too many.
var ErrTimer = errors.New("cluster: no timer")

// GrainTimer runs a function of a grain later, in a turn of its own: nothing else of
// the grain runs at the same time, and none begins after the lease of a leased
// grain's member has ended. It lives in memory: it ends with the activation, and
// when a method panics. A timer does not keep a grain from being passivated, nor
// make it recently used.
//
// The function gets a context of its own, which ends after the request timeout.
// It is used in its grain's turns only.
type GrainTimer struct {
	owner *timers
	every time.Duration // 0: once
	run   func(ctx GrainContext)
	timer *time.Timer
}

// Stop ends the timer: its function is not called any more.
func (t *GrainTimer) Stop() {
	t.timer.Stop()
	delete(t.owner.running, t)
}

// timerTick is a timer that has come.
type timerTick struct{ timer *GrainTimer }

// MailboxExempt implements actor.MailboxExempt: the next tick comes after it.
func (*timerTick) MailboxExempt() {}

// NotInfluenceReceiveTimeout implements actor.NotInfluenceReceiveTimeout.
func (*timerTick) NotInfluenceReceiveTimeout() {}

// timers are those of one grain.
type timers struct{ running map[*GrainTimer]struct{} }

func (t *timers) stopAll() {
	for timer := range t.running {
		timer.Stop()
	}
}

// After runs f once, after d, which is positive. See [GrainTimer].
func (g *grainContext) After(d time.Duration, f func(ctx GrainContext)) (*GrainTimer, error) {
	return g.startTimer(d, 0, f)
}

// Every runs f again and again, first after d, and then d after the end of the
// last run. See [GrainTimer].
func (g *grainContext) Every(d time.Duration, f func(ctx GrainContext)) (*GrainTimer, error) {
	return g.startTimer(d, d, f)
}

func (g *grainContext) startTimer(first, every time.Duration, f func(ctx GrainContext)) (*GrainTimer, error) {
	if first <= 0 || f == nil {
		return nil, fmt.Errorf("%w: after %v, and with a function: %t; the time must be positive, the function there", ErrTimer, first, f != nil)
	}
	if len(g.timers.running) >= MaxGrainTimers {
		return nil, fmt.Errorf("%w: %s has %d, which is the limit", ErrTimer, g.activation.identity, MaxGrainTimers)
	}
	t := &GrainTimer{owner: g.timers, every: every, run: f}
	act, root, tick := g.activation, g.ActorSystem().Root, &timerTick{t}
	t.timer = time.AfterFunc(first, func() {
		if act.ctx.Err() == nil {
			root.Send(act.pid, tick)
		}
	})
	if g.timers.running == nil {
		g.timers.running = make(map[*GrainTimer]struct{})
	}
	g.timers.running[t] = struct{}{}
	return t, nil
}

// tick runs a timer's function, unless it was stopped while the tick waited.
func (h *GrainHost[G]) tick(ctx actor.Context, t *GrainTimer) {
	if _, on := h.timers.running[t]; !on {
		return
	}
	if t.every == 0 {
		t.Stop()
	}
	turn, end := h.ownTurn(h.activation.ctx, ctx)
	defer end()
	t.run(turn)
	if _, on := h.timers.running[t]; on {
		t.timer.Reset(t.every)
	}
}
