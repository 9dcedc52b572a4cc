package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/partition"
)

// activation is one grain that is active in this process.
type activation struct {
	identity driver.Identity
	fence    driver.Fence
	kind     *Kind
	pid      *actor.PID
	// ctx is done when the activation stops.
	ctx    context.Context
	cancel context.CancelFunc
}

// activations are the grains of this process, by the id of their PID.
type activations struct {
	byPID sync.Map // string → *activation
}

func (a *activations) get(pid *actor.PID) *activation {
	v, _ := a.byPID.Load(pid.Id)
	found, _ := v.(*activation)
	return found
}

// stopAll stops every activation and waits until the last handler of each has
// returned, also of those that come up meanwhile.
func (a *activations) stopAll(ctx context.Context, system *actor.ActorSystem, graceful bool) error {
	stop := system.Root.StopFuture
	if graceful {
		stop = system.Root.PoisonFuture
	}
	for {
		var futures []*actor.Future
		a.byPID.Range(func(_, v any) bool {
			if act, ok := v.(*activation); ok {
				futures = append(futures, stop(act.pid))
			}
			return true
		})
		if len(futures) == 0 {
			return nil
		}
		for i, f := range futures {
			if _, err := f.ResultContext(ctx); err != nil && ctx.Err() != nil {
				return fmt.Errorf("%d grains have not stopped: %w", len(futures)-i, ctx.Err())
			}
		}
	}
}

// activator starts activations for the lookup of one membership.
func (c *Cluster) activator(self driver.MemberID) partition.Activator {
	if self == "" {
		return nil
	}
	return &activator{cluster: c, self: self}
}

type activator struct {
	cluster *Cluster
	self    driver.MemberID
}

// Activate implements partition.Activator. A grain that cannot be spawned
// gets a stand-in, which tells its callers why.
func (a *activator) Activate(id driver.Identity, f driver.Fence) *actor.PID {
	c := a.cluster
	act := &activation{identity: id, fence: f, kind: c.kinds[id.Kind]}
	act.ctx, act.cancel = context.WithCancel(c.ctx)
	name := activationID(id, a.self, f)
	act.pid = c.system.NewLocalPID(name)
	c.activations.byPID.Store(name, act)
	pid, err := c.system.Root.SpawnNamed(act.kind.props.Configure(actor.WithReceiverMiddleware(a.observe(act))), name)
	if err == nil {
		return pid
	}
	c.logger.Error("grain not activated", "grain", id, "error", err)
	pid, err = c.system.Root.SpawnNamed(standIn(err).Configure(actor.WithReceiverMiddleware(a.observe(act))), name)
	if err != nil {
		// Only a system that has been shut down refuses this. The PID leads
		// nowhere, which whoever watches it is told at once.
		a.forget(act)
		return act.pid
	}
	return pid
}

// observe lets the cluster know how an activation ends.
func (a *activator) observe(act *activation) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.Context, env *actor.MessageEnvelope) {
			switch env.Message.(type) {
			case *actor.Stopping:
				act.cancel()
				if m := a.cluster.current.Load(); m != nil && m.self.ID == a.self {
					m.lookup.StopBegun(act.identity, act.fence)
				}
			case *actor.Stopped:
				defer a.forget(act)
			}
			next(ctx, env)
		}
	}
}

func (a *activator) forget(act *activation) {
	act.cancel()
	a.cluster.activations.byPID.Delete(act.pid.Id)
}

// failureIdle is how long a grain that failed to activate answers its callers
// with the reason before the next call tries to activate it anew.
const failureIdle = time.Second

var errNotActivated = errors.New("cluster: the grain could not be activated")

// standIn answers every request with the reason why there is no grain.
func standIn(cause error) *actor.Props {
	failure := &GrainError{Code: CodeActivation, Message: cause.Error()}
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			ctx.SetReceiveTimeout(failureIdle)
		case *actor.ReceiveTimeout:
			ctx.Poison(ctx.Self())
		default:
			if ctx.Sender() != nil {
				ctx.Respond(failure)
			}
		}
	})
}
