package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
)

// activation is one grain that is active in this process.
type activation struct {
	identity driver.Identity
	fence    driver.Fence
	kind     *Kind
	pid      *actor.PID
	// gate is nil for a kind that is best effort, state for one that is not
	// strict.
	gate     *gate
	state    *State
	counters *counters
	turns    remoteTurns
	why      atomic.Uint32 // a DeactivationReason
	parked   atomic.Int32  // reenterable methods that await something
	// continuing is how many continuations have not run: see continuations.
	continuing atomic.Int32
	stashed    atomic.Int32 // messages that its actor has put aside
	waits      *continuations
	usage      *usage // nil for a kind without a limit
	handled    atomic.Uint64
	surveyed   uint64 // handled at the last survey, whose lock guards it
	// ctx is done when the activation stops, or its lease has ended.
	ctx    context.Context
	cancel context.CancelFunc
	// startCtx has what an observer says of the start, and ready tells it of its
	// end; both are nil before and after it.
	startCtx context.Context
	ready    func(error)
}

// awaits reports whether something will come that the activation is needed for: then it is not
// idle.
func (a *activation) awaits() bool {
	return a.parked.Load() > 0 || a.continuing.Load() > 0 || a.stashed.Load() > 0
}

// mayAct reports whether the activation may still send something.
func (a *activation) mayAct() bool { return a.gate == nil || a.gate.lease.Valid() }

// activations are the grains of this process, by the id of their PID.
type activations struct {
	byPID sync.Map // string → *activation
	kinds map[string]*kindCounts
}

// add takes an activation in.
func (a *activations) add(act *activation) {
	a.byPID.Store(act.pid.Id, act)
	if counts := a.kinds[act.identity.Kind]; counts != nil {
		counts.active.Add(1)
		counts.activated.Add(1)
	}
}

func (a *activations) get(pid *actor.PID) *activation {
	v, _ := a.byPID.Load(pid.Id)
	found, _ := v.(*activation)
	return found
}

// stopAll stops every activation and waits until the last handler of each has
// returned, also of those that come up meanwhile. What still runs after half of
// the time, or at once if it is not graceful, has its context cancelled.
func (a *activations) stopAll(ctx context.Context, system *actor.ActorSystem, graceful bool) error {
	stop := system.Root.StopFuture
	if graceful {
		stop = system.Root.PoisonFuture
		if deadline, has := ctx.Deadline(); has {
			defer time.AfterFunc(time.Until(deadline)/2, a.cancelAll).Stop()
		}
	} else {
		a.cancelAll()
	}
	for {
		ends := make(map[*activation]*actor.Future)
		a.byPID.Range(func(_, v any) bool {
			if act, ok := v.(*activation); ok {
				act.ends(DeactivatedWithMember)
				ends[act] = stop(act.pid)
			}
			return true
		})
		if len(ends) == 0 {
			return nil
		}
		for act, end := range ends {
			if _, err := end.ResultContext(ctx); err != nil && ctx.Err() != nil {
				return fmt.Errorf("%d grains have not stopped, one of them %s: %w", unended(ends), act.identity, ctx.Err())
			}
			a.forget(act)
			delete(ends, act)
		}
	}
}

// unended counts the ends that have not come.
func unended(ends map[*activation]*actor.Future) (n int) {
	for _, end := range ends {
		select {
		case <-end.Done():
		default:
			n++
		}
	}
	return n
}

func (a *activations) cancelAll() { a.cancelWhere(func(*activation) bool { return true }) }

func (a *activations) cancelWhere(match func(*activation) bool) {
	a.byPID.Range(func(_, v any) bool {
		if act, ok := v.(*activation); ok && match(act) {
			act.cancel()
		}
		return true
	})
}

// forget ends what an activation that has stopped leaves here.
func (a *activations) forget(act *activation) {
	act.cancel()
	if _, had := a.byPID.LoadAndDelete(act.pid.Id); had {
		if counts := a.kinds[act.identity.Kind]; counts != nil {
			counts.active.Add(-1)
			counts.handled.Add(act.handled.Load())
		}
	}
	if act.usage != nil {
		act.usage.room.leave(act.usage)
	}
}

// activator starts activations for the lookup of one membership.
func (c *Cluster) activator(self driver.MemberID, lease driver.Lease) lookup.Activator {
	if self == "" {
		return nil
	}
	return &activator{cluster: c, self: self, lease: lease}
}

type activator struct {
	cluster *Cluster
	self    driver.MemberID
	lease   driver.Lease // nil where the provider has none
}

// Activate implements lookup.Activator. The kind's own actor is made by the
// first message of the grain, not here: see lateActor.
func (a *activator) Activate(id driver.Identity, f driver.Fence, asked actor.MessageHeader) *actor.PID {
	c := a.cluster
	act := &activation{identity: id, fence: f, kind: c.kinds[id.Kind], counters: &c.counters}
	if act.kind.guaranteed(a.lease != nil) != driver.BestEffort {
		act.gate = newGate(act, a.lease)
	}
	if act.kind.store != nil {
		act.state = &State{id: id, fence: f, store: act.kind.store}
	}
	act.waits = &continuations{act: act}
	act.ctx, act.cancel = context.WithCancel(c.ctx)
	name := activationID(id, a.self, f)
	act.pid = c.system.NewLocalPID(name)
	if room := c.rooms[id.Kind]; room != nil {
		room.enter(act)
	}
	c.activations.add(act)
	if c.config.observer != nil {
		act.observeStart(c.config.observer, asked)
	}
	props := act.kind.props
	pid, err := c.system.Root.SpawnNamed(props.Configure(
		actor.WithProducer(func() actor.Actor { return &lateActor{of: act, produce: props.ProducerIn(c.system)} }),
		actor.WithOutermostMiddleware(a.observe(act))), name)
	if err != nil {
		// The system has been shut down, or the system's defaults for all
		// actors are invalid. The PID leads nowhere, which whoever watches it
		// is told at once.
		c.logger.Error("cluster: grain not activated", "grain", id, "error", err)
		act.started(err)
		c.activations.forget(act)
		return act.pid
	}
	return pid
}

// observe lets the cluster know how an activation ends, and puts the gate before
// a leased one.
func (a *activator) observe(act *activation) actor.ReceiverMiddleware {
	return func(handle actor.ReceiverFunc) actor.ReceiverFunc {
		next := func(ctx actor.Context, env *actor.MessageEnvelope) { act.waits.turn(ctx, env, handle) }
		return func(ctx actor.Context, env *actor.MessageEnvelope) {
			switch env.Message.(type) {
			case *actor.Started, *timerTick:
			case *actor.Stopping:
				defer act.cancel()
				if m := a.cluster.current.Load(); m != nil && m.self.ID == a.self {
					m.lookup.StopBegun(act.identity, act.fence)
				}
			case *actor.Stopped:
				defer a.cluster.ended(act)
			default:
				act.handled.Add(1)
				if act.usage != nil {
					act.usage.begin()
					defer act.usage.end()
				}
			}
			if act.gate != nil {
				act.gate.turn(ctx, env, next)
			} else {
				next(ctx, env)
			}
			if act.ready != nil {
				act.hasStarted()
			}
		}
	}
}

// ended forgets an activation that has stopped, also where this process would
// still call it.
func (c *Cluster) ended(act *activation) {
	c.activations.forget(act)
	if o := c.config.observer; o != nil {
		act.started(errEndedEarly)
		if o.Deactivated != nil {
			o.Deactivated(act.identity, DeactivationReason(act.why.Load()))
		}
	}
	if loc := c.cache.get(act.identity); loc != nil && loc.pid.Equal(act.pid) {
		c.cache.drop(act.identity, loc)
	}
}
