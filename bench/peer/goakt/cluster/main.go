// Command cluster runs the cases of a cluster on GoAkt, with static discovery and its client, as its documentation has them, with logging off and without
// compression, as it is on the loopback. The client knows all members from the beginning and no others.
package main

import (
	"context"
	"time"

	"github.com/tochemey/goakt/v4/actor"
	"github.com/tochemey/goakt/v4/client"
	"github.com/tochemey/goakt/v4/discovery/static"
	"github.com/tochemey/goakt/v4/remote"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/trio"
)

func main() { trio.Main(func() trio.Peer { return &peer{} }) }

const (
	askTimeout  = 10 * time.Second
	lookTimeout = time.Second
	kind        = "main.echo"
)

type peer struct {
	system actor.ActorSystem
	client *client.Client
}

func config(port int) *remote.Config {
	return remote.NewConfig("127.0.0.1", port, remote.WithCompression(remote.NoCompression),
		remote.WithSerializers((*proto.Message)(nil), remote.NewProtoSerializer()))
}

// number is this process's as a member: grains are made by their type, and know nothing else.
var number int

func (p *peer) Join(s trio.Seat) (err error) {
	number = s.Number
	cluster := actor.NewClusterConfig().WithDiscovery(static.NewDiscovery(&static.Config{Hosts: s.Hosts})).
		WithDiscoveryPort(s.Ports[0]).WithPeersPort(s.Ports[2]).WithGrains(&echo{})
	p.system, err = actor.NewActorSystem("bench", actor.WithLoggingDisabled(), actor.WithRemote(config(s.Ports[1])), actor.WithCluster(cluster))
	if err != nil {
		return err
	}
	return p.system.Start(context.Background())
}

func (p *peer) Leave() error { return p.system.Stop(context.Background()) }

func (p *peer) Connect(s trio.Seat) (err error) {
	var nodes []*client.Node
	for _, host := range s.Others {
		nodes = append(nodes, client.NewNode(host, client.WithRemoteConfig(config(0))))
	}
	p.client, err = client.New(context.Background(), nodes)
	return err
}

func (p *peer) Members() int {
	if p.system == nil {
		return trio.Size
	}
	others, err := p.system.Peers(context.Background(), lookTimeout)
	if err != nil {
		return 0
	}
	return len(others) + 1
}

func (p *peer) Ask(grain string, m *benchpb.Question) (*benchpb.Question, error) {
	answer, err := p.client.AskGrain(context.Background(), &remote.GrainRequest{Name: grain, Kind: kind}, m, askTimeout)
	got, _ := answer.(*benchpb.Question)
	return got, err
}

// echo is the grain.
type echo struct{}

func (*echo) OnActivate(context.Context, *actor.GrainProps) error   { return nil }
func (*echo) OnDeactivate(context.Context, *actor.GrainProps) error { return nil }

func (*echo) OnReceive(ctx *actor.GrainContext) {
	if m, ok := ctx.Message().(*benchpb.Question); ok {
		ctx.Response(trio.Answer(m, number))
	} else {
		ctx.Unhandled()
	}
}
