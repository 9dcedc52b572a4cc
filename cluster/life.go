package cluster

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/granary-go/granary/actor"
)

// Activating is implemented by generated grains that have something to do before
// their first call, such as loading their state. If it fails, so do the calls,
// with [CodeActivation], and a later one tries again, with a new grain. The context
// ends after the request timeout, and when the activation does. Calls of other
// grains carry that this one waits, but not who waits for it.
type Activating interface {
	OnActivate(ctx GrainContext) error
}

// Deactivating is implemented by generated grains that have something to do before
// they stop, such as saving their state. It is called before Terminate, and
// like that neither after a panic, nor once the lease of a leased grain's member
// has ended, nor where OnActivate failed. No new activation begins before it has
// returned. An error is logged; nobody waits for it.
//
// The context ends after the request timeout, when the lease does, and in the
// course of the member's shutdown: at once if that is not graceful, after half of
// its time if it is.
type Deactivating interface {
	OnDeactivate(ctx GrainContext, reason DeactivationReason) error
}

// DeactivationReason says why a grain stops.
type DeactivationReason uint32

const (
	// DeactivatedStopped: its PID was stopped, by the grain itself, by whoever
	// got it from [Cluster.Get], by the placement or by its supervisor.
	DeactivatedStopped DeactivationReason = iota
	// DeactivatedIdle: it has had no message for the time of [WithPassivation].
	DeactivatedIdle
	// DeactivatedForRoom: there were more than [WithMaxActivations], and it was
	// idle.
	DeactivatedForRoom
	// DeactivatedWithMember: its member shuts down, or was removed from the
	// view and joins again.
	DeactivatedWithMember
)

// String names the reason.
func (r DeactivationReason) String() string {
	switch r {
	case DeactivatedStopped:
		return "stopped"
	case DeactivatedIdle:
		return "idle"
	case DeactivatedForRoom:
		return "to make room"
	case DeactivatedWithMember:
		return "its member leaves"
	default:
		return fmt.Sprintf("reason %d", uint32(r))
	}
}

// ends notes why the activation is about to stop. The first reason counts.
func (a *activation) ends(why DeactivationReason) { a.why.CompareAndSwap(0, uint32(why)) }

// passivate ends an activation that has been idle, unless it awaits something: a message
// will come for that.
func (a *activation) passivate(ctx actor.Context) {
	if a.awaits() {
		return
	}
	a.ends(DeactivatedIdle)
	ctx.Poison(ctx.Self())
}

// start makes the grain. If that fails, its callers are told why; a call that
// comes later tries anew, at once after the first failure and then after
// pauses that double up to a second.
func (h *GrainHost[G]) start(ctx actor.Context, desc *GrainDesc[G], factory func() G, idle time.Duration) {
	if err := h.activate(ctx, desc, factory); err != nil {
		h.failure = newFailedStart(ctx, err)
		h.attempts++
		return
	}
	h.failure, h.told, h.attempts = failedStart{}, false, 0
	if idle <= 0 {
		idle = h.activation.kind.idle
	}
	ctx.SetReceiveTimeout(idle)
}

// pause is how long to wait after a failure before a call tries again.
func (h *GrainHost[G]) pause() time.Duration {
	if h.attempts <= 1 {
		return 0
	}
	return min(firstRetry<<min(h.attempts-2, 10), failureIdle)
}

func (h *GrainHost[G]) activate(ctx actor.Context, desc *GrainDesc[G], factory func() G) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = startPanicError{fmt.Errorf("%w: panic: %v", errNotActivated, r), string(debug.Stack())}
		}
	}()
	if h.cluster = From(ctx.ActorSystem()); h.cluster != nil {
		h.activation = h.cluster.activations.get(ctx.Self())
	}
	if h.activation == nil {
		return fmt.Errorf("%w: %sActor was not spawned by a cluster: give its props to cluster.NewKind and call it by its identity",
			errNotActivated, desc.GoName)
	}
	if factory == nil {
		return fmt.Errorf("%w: no factory for kind %q: call %sFactory before the first call, or use New%sKind",
			errNotActivated, desc.Kind, desc.GoName, desc.GoName)
	}
	h.answers = answers{limit: h.activation.kind.answers}
	h.timers.stopAll()
	h.grain = factory()
	if any(h.grain) == nil {
		return fmt.Errorf("%w: the factory of kind %q returned nil", errNotActivated, desc.Kind)
	}
	h.grain.Init(h.activation.identity.Name)
	if err := h.onActivate(ctx); err != nil {
		return fmt.Errorf("%w: OnActivate: %w", errNotActivated, err)
	}
	h.active = true
	return nil
}

func (h *GrainHost[G]) onActivate(ctx actor.Context) error {
	grain, has := any(h.grain).(Activating)
	if !has {
		return nil
	}
	within := h.activation.ctx
	if observed := h.activation.startCtx; observed != nil {
		within = observed
	}
	turn, end := h.ownTurn(within, ctx)
	defer end()
	return grain.OnActivate(turn)
}

// stop ends a grain that is active.
func (h *GrainHost[G]) stop(ctx actor.Context) {
	h.timers.stopAll()
	h.finish(ctx, false)
	if !h.active {
		return
	}
	h.active = false
	if grain, has := any(h.grain).(Deactivating); has {
		h.onDeactivate(ctx, grain)
	}
	h.grain.Terminate()
}

func (h *GrainHost[G]) onDeactivate(ctx actor.Context, grain Deactivating) {
	reason := DeactivationReason(h.activation.why.Load())
	defer func() {
		if r := recover(); r != nil {
			ctx.Logger().Error("cluster: grain panicked in OnDeactivate", "reason", reason, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	turn, end := h.ownTurn(h.activation.ctx, ctx)
	defer end()
	if err := grain.OnDeactivate(turn, reason); err != nil {
		ctx.Logger().Error("cluster: OnDeactivate failed", "reason", reason, "error", err)
	}
}

// ownTurn is the context of a turn that nobody called for.
func (h *GrainHost[G]) ownTurn(within context.Context, ctx actor.Context) (turn *grainContext, end func()) {
	bounded, cancel := context.WithTimeout(within, h.cluster.config.requestTimeout)
	turn = &grainContext{Context: bounded, actorContext: ctx, activation: h.activation, cluster: h.cluster, timers: &h.timers}
	return turn, func() {
		turn.over.Store(true)
		cancel()
	}
}
