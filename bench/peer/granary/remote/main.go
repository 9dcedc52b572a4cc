// Command remote runs the cases of two processes on Granary's remoting, with the options that it has by default.
package main

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/pair"
	"github.com/granary-go/granary/remote"
)

func main() { pair.Main(func() pair.Peer { return newPeer() }) }

const askTimeout = 10 * time.Second

type peer struct {
	system  *actor.ActorSystem
	remote  *remote.Remote
	targets []*actor.PID
}

func newPeer() *peer {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	return &peer{system: system, remote: remote.NewRemote(system, remote.Configure("127.0.0.1", 0))}
}

func name(target int) string { return "target" + strconv.Itoa(target) }

func (p *peer) Serve(targets int, arrived func()) (string, error) {
	if err := p.remote.Start(); err != nil {
		return "", err
	}
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *benchpb.Note:
			arrived()
		case *benchpb.Question:
			ctx.Respond(m)
		}
	})
	for i := range targets {
		if _, err := p.system.Root.SpawnNamed(props, name(i)); err != nil {
			return "", err
		}
	}
	return p.system.Address(), nil
}

func (p *peer) Connect(address string, targets int) error {
	for i := range targets {
		p.targets = append(p.targets, actor.NewPID(address, name(i)))
	}
	return p.remote.Start()
}

func (p *peer) Tell(target int, m *benchpb.Note) error {
	p.system.Root.Send(p.targets[target], m)
	return nil
}

func (p *peer) Ask(target int, m *benchpb.Question) (*benchpb.Question, error) {
	answer, err := p.system.Root.RequestFuture(p.targets[target], m, askTimeout).Result()
	got, _ := answer.(*benchpb.Question)
	return got, err
}

func (p *peer) Close() {
	_ = p.remote.Shutdown(true)
	p.system.Shutdown()
}
