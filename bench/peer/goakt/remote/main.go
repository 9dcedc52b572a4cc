// Command remote runs the cases of two processes on GoAkt's remoting, with logging off, as its documentation advises for benchmarks, without
// compression, as it is on the loopback, and with actors that are not passivated.
package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/tochemey/goakt/v4/actor"
	"github.com/tochemey/goakt/v4/remote"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/pair"
)

func main() { pair.Main(func() pair.Peer { return &peer{} }) }

const askTimeout = 10 * time.Second

type peer struct {
	system  actor.ActorSystem
	targets []*actor.PID
}

// start starts the system on a free port, which it must be told.
func (p *peer) start() (address string, err error) {
	ctx := context.Background()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	at, _ := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		return "", err
	}
	config := remote.NewConfig("127.0.0.1", at.Port, remote.WithCompression(remote.NoCompression),
		remote.WithSerializers((*proto.Message)(nil), remote.NewProtoSerializer()))
	if p.system, err = actor.NewActorSystem("bench", actor.WithLoggingDisabled(), actor.WithRemote(config)); err != nil {
		return "", err
	}
	return at.String(), p.system.Start(ctx)
}

func name(target int) string { return "target" + strconv.Itoa(target) }

func (p *peer) Serve(targets int, arrived func()) (string, error) {
	address, err := p.start()
	for i := 0; i < targets && err == nil; i++ {
		_, err = p.system.Spawn(context.Background(), name(i), &echo{arrived}, actor.WithLongLived())
	}
	return address, err
}

func (p *peer) Connect(address string, targets int) error {
	if _, err := p.start(); err != nil {
		return err
	}
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return err
	}
	for i := range targets {
		found, err := p.system.NoSender().RemoteLookup(context.Background(), at.IP.String(), at.Port, name(i))
		if err != nil {
			return fmt.Errorf("look up %s: %w", name(i), err)
		}
		p.targets = append(p.targets, found)
	}
	return nil
}

func (p *peer) Tell(target int, m *benchpb.Note) error {
	return actor.Tell(context.Background(), p.targets[target], m)
}

func (p *peer) Ask(target int, m *benchpb.Question) (*benchpb.Question, error) {
	answer, err := actor.Ask(context.Background(), p.targets[target], m, askTimeout)
	got, _ := answer.(*benchpb.Question)
	return got, err
}

func (p *peer) Close() {
	if p.system != nil {
		_ = p.system.Stop(context.Background())
	}
}

// echo is a target.
type echo struct{ arrived func() }

func (*echo) PreStart(*actor.Context) error { return nil }
func (*echo) PostStop(*actor.Context) error { return nil }

func (e *echo) Receive(ctx *actor.ReceiveContext) {
	switch m := ctx.Message().(type) {
	case *benchpb.Note:
		e.arrived()
	case *benchpb.Question:
		ctx.Response(m)
	}
}
