// Command remote runs the cases of two processes on the remoting of Proto.Actor Go, as its README starts it.
package main

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/pair"
)

func main() { pair.Main(func() pair.Peer { return newPeer() }) }

const askTimeout = 10 * time.Second

type peer struct {
	system  *actor.ActorSystem
	remote  *remote.Remote
	targets []*actor.PID
}

func newPeer() *peer {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	system := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
	return &peer{system: system, remote: remote.NewRemote(system, remote.Configure("127.0.0.1", 0))}
}

func name(target int) string { return "target" + strconv.Itoa(target) }

func (p *peer) Serve(targets int, arrived func()) (string, error) {
	p.remote.Start()
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
	p.remote.Start()
	for i := range targets {
		p.targets = append(p.targets, actor.NewPID(address, name(i)))
	}
	return nil
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

func (*peer) Close() {} // the process ends; a graceful end takes the remote seconds
