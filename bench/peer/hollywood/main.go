// Command hollywood runs the workloads on Hollywood, with an engine as its README makes it.
package main

import (
	"io"
	"log/slog"
	"time"

	"github.com/anthdm/hollywood/actor"

	"github.com/granary-go/granary/bench/workload"
)

func main() {
	workload.Main(func() (workload.Peer, error) {
		slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // the engine logs there
		engine, err := actor.NewEngine(actor.NewEngineConfig())
		return &peer{engine}, err
	})
}

const askTimeout = 10 * time.Second

// pid gives what Spawn gave.
func pid(r workload.Ref) *actor.PID {
	p, _ := r.(*actor.PID)
	return p
}

type peer struct{ engine *actor.Engine }

func (p *peer) Spawn(h workload.Handler) workload.Ref { return p.engine.Spawn(producer(h), "w") }

func (p *peer) Tell(to workload.Ref, m any) { p.engine.Send(pid(to), m) }

func (p *peer) Ask(to workload.Ref, m any) (any, error) {
	return p.engine.Request(pid(to), m, askTimeout).Result()
}

func (p *peer) Stop(r workload.Ref) { <-p.engine.Stop(pid(r)).Done() }

func (*peer) Close() {} // an engine has no end

func producer(h workload.Handler) actor.Producer {
	return func() actor.Receiver { return &worker{handle: h} }
}

// worker is an actor, and the context of its handler.
type worker struct {
	handle workload.Handler
	ctx    *actor.Context
}

func (w *worker) Receive(ctx *actor.Context) {
	switch m := ctx.Message().(type) {
	case actor.Initialized, actor.Started, actor.Stopped:
	default:
		w.ctx = ctx
		w.handle(w, m)
	}
}

func (w *worker) Self() workload.Ref                    { return w.ctx.PID() }
func (w *worker) Tell(to workload.Ref, m any)           { w.ctx.Send(pid(to), m) }
func (w *worker) Reply(m any)                           { w.ctx.Respond(m) }
func (w *worker) Spawn(h workload.Handler) workload.Ref { return w.ctx.SpawnChild(producer(h), "w") }
