// Command granary runs the workloads on Granary's actors, with the options that they have by default.
package main

import (
	"log/slog"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/bench/workload"
)

func main() {
	workload.Main(func() (workload.Peer, error) {
		return &peer{actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))}, nil
	})
}

const askTimeout = 10 * time.Second

// pid gives what Spawn gave.
func pid(r workload.Ref) *actor.PID {
	p, _ := r.(*actor.PID)
	return p
}

type peer struct{ system *actor.ActorSystem }

func (p *peer) Spawn(h workload.Handler) workload.Ref { return p.system.Root.Spawn(props(h)) }

func (p *peer) Tell(to workload.Ref, m any) { p.system.Root.Send(pid(to), m) }

func (p *peer) Ask(to workload.Ref, m any) (any, error) {
	return p.system.Root.RequestFuture(pid(to), m, askTimeout).Result()
}

func (p *peer) Stop(r workload.Ref) { _ = p.system.Root.StopFuture(pid(r)).Wait() }

func (p *peer) Close() { p.system.Shutdown() }

func props(h workload.Handler) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &worker{handle: h} })
}

// worker is an actor, and the context of its handler.
type worker struct {
	handle workload.Handler
	ctx    actor.Context
}

func (w *worker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Terminated:
	default:
		w.ctx = ctx
		w.handle(w, m)
	}
}

func (w *worker) Self() workload.Ref                    { return w.ctx.Self() }
func (w *worker) Tell(to workload.Ref, m any)           { w.ctx.Send(pid(to), m) }
func (w *worker) Reply(m any)                           { w.ctx.Respond(m) }
func (w *worker) Spawn(h workload.Handler) workload.Ref { return w.ctx.Spawn(props(h)) }
