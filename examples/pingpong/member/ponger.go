package main

import (
	"log/slog"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/examples/pingpong/messages"
)

// ponger is the grain. Its methods are called one at a time, so it needs no
// mutex.
type ponger struct {
	cluster.Grain

	answered uint64
}

func newPonger() messages.Ponger { return new(ponger) }

// Ping answers a call of the client.
func (p *ponger) Ping(req *messages.PingRequest, ctx cluster.GrainContext) (*messages.PingReply, error) {
	return p.reply(req, ctx), nil
}

// ReceiveDefault gets what was not sent by a generated client. A PingRequest
// may as well be sent as a plain message.
func (p *ponger) ReceiveDefault(ctx actor.Context) {
	if req, ok := ctx.Message().(*messages.PingRequest); ok {
		ctx.Respond(p.reply(req, ctx))
	}
}

// Terminate is called when no ping has come for a while and when the member
// stops.
func (p *ponger) Terminate() {
	slog.Info("ponger stops", "id", p.ID(), "answered", p.answered)
}

func (p *ponger) reply(req *messages.PingRequest, ctx actor.Context) *messages.PingReply {
	p.answered++
	return &messages.PingReply{
		Count:    req.GetCount(),
		Answered: p.answered,
		Member:   ctx.ActorSystem().Address(),
	}
}
