// Command goakt runs the workloads on GoAkt, with logging off, as its documentation advises for benchmarks, and actors that
// are not passivated.
package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tochemey/goakt/v4/actor"

	"github.com/granary-go/granary/bench/workload"
)

func main() {
	workload.Main(func() (workload.Peer, error) {
		system, err := actor.NewActorSystem("bench", actor.WithLoggingDisabled())
		if err != nil {
			return nil, err
		}
		return &peer{system: system}, system.Start(context.Background())
	})
}

const askTimeout = 10 * time.Second

// pid gives what Spawn gave.
func pid(r workload.Ref) *actor.PID {
	p, _ := r.(*actor.PID)
	return p
}

type peer struct {
	system actor.ActorSystem
	names  atomic.Int64 // actors must have one
}

func (p *peer) name() string { return "w" + strconv.FormatInt(p.names.Add(1), 10) }

func (p *peer) Spawn(h workload.Handler) workload.Ref {
	spawned, err := p.system.Spawn(context.Background(), p.name(), &worker{peer: p, handle: h}, actor.WithLongLived())
	if err != nil {
		panic(err)
	}
	return spawned
}

func (*peer) Tell(to workload.Ref, m any) {
	if err := actor.Tell(context.Background(), pid(to), m); err != nil {
		panic(err)
	}
}

func (*peer) Ask(to workload.Ref, m any) (any, error) {
	return actor.Ask(context.Background(), pid(to), m, askTimeout)
}

func (*peer) Stop(r workload.Ref) {
	if err := pid(r).Shutdown(context.Background()); err != nil {
		panic(err)
	}
}

func (p *peer) Close() { _ = p.system.Stop(context.Background()) }

// worker is an actor, and the context of its handler.
type worker struct {
	peer   *peer
	handle workload.Handler
	ctx    *actor.ReceiveContext
}

func (*worker) PreStart(*actor.Context) error { return nil }
func (*worker) PostStop(*actor.Context) error { return nil }

func (w *worker) Receive(ctx *actor.ReceiveContext) {
	switch m := ctx.Message().(type) {
	case *actor.PostStart:
	default:
		w.ctx = ctx
		w.handle(w, m)
	}
}

func (w *worker) Self() workload.Ref          { return w.ctx.Self() }
func (w *worker) Tell(to workload.Ref, m any) { w.ctx.Tell(pid(to), m) }
func (w *worker) Reply(m any)                 { w.ctx.Response(m) }
func (w *worker) Spawn(h workload.Handler) workload.Ref {
	return w.ctx.Spawn(w.peer.name(), &worker{peer: w.peer, handle: h}, actor.WithLongLived())
}
