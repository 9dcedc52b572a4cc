// Command remote runs the cases of two processes on Hollywood's remoting, with an engine as its README makes it.
package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/anthdm/hollywood/actor"
	"github.com/anthdm/hollywood/remote"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/pair"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // the engine logs there
	pair.Main(func() pair.Peer { return &peer{} })
}

const (
	askTimeout = 10 * time.Second
	kind       = "target"
)

type peer struct {
	engine  *actor.Engine
	targets []*actor.PID
}

// start starts the engine on a free port, which it must be told.
func (p *peer) start() (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", err
	}
	p.engine, err = actor.NewEngine(actor.NewEngineConfig().WithRemote(remote.New(address, remote.NewConfig())))
	return address, err
}

func (p *peer) Serve(targets int, arrived func()) (string, error) {
	address, err := p.start()
	if err != nil {
		return "", err
	}
	for i := range targets {
		p.engine.SpawnFunc(func(ctx *actor.Context) {
			switch m := ctx.Message().(type) {
			case *benchpb.Note:
				arrived()
			case *benchpb.Question:
				ctx.Respond(m)
			}
		}, kind, actor.WithID(strconv.Itoa(i)))
	}
	return address, nil
}

func (p *peer) Connect(address string, targets int) error {
	for i := range targets {
		p.targets = append(p.targets, actor.NewPID(address, kind+"/"+strconv.Itoa(i)))
	}
	_, err := p.start()
	return err
}

func (p *peer) Tell(target int, m *benchpb.Note) error {
	p.engine.Send(p.targets[target], m)
	return nil
}

func (p *peer) Ask(target int, m *benchpb.Question) (*benchpb.Question, error) {
	answer, err := p.engine.Request(p.targets[target], m, askTimeout).Result()
	got, _ := answer.(*benchpb.Question)
	return got, err
}

func (*peer) Close() {} // an engine has no end
