// Command cluster runs the cases of a cluster on Proto.Actor Go, with the provider automanaged and the look-up disthash that its examples use, and the options
// that there are by default. The grain and its client do what generated ones do, without passivation.
package main

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/automanaged"
	"github.com/asynkron/protoactor-go/cluster/identitylookup/disthash"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/trio"
)

func main() { trio.Main(func() trio.Peer { return &peer{} }) }

const (
	refresh = time.Second
	kind    = "Echo"
)

type peer struct{ cluster *cluster.Cluster }

func (p *peer) make(port int, s trio.Seat, kinds ...*cluster.Kind) *cluster.Cluster {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	p.cluster = cluster.New(actor.NewActorSystem(actor.WithLoggerFactory(quiet)), cluster.Configure("bench",
		automanaged.NewWithConfig(refresh, port, s.Hosts...), disthash.New(), remote.Configure("127.0.0.1", 0), cluster.WithKinds(kinds...)))
	return p.cluster
}

func (p *peer) Join(s trio.Seat) error {
	echo := actor.PropsFromFunc(func(ctx actor.Context) {
		request, ok := ctx.Message().(*cluster.GrainRequest)
		if !ok {
			return
		}
		m := &benchpb.Question{}
		if err := proto.Unmarshal(request.MessageData, m); err != nil {
			ctx.Respond(cluster.NewGrainErrorResponse(cluster.ErrorReason_INVALID_ARGUMENT, err.Error()))
			return
		}
		ctx.Respond(trio.Answer(m, s.Number))
	})
	p.make(s.Ports[0], s, cluster.NewKind(kind, echo)).StartMember()
	return nil
}

func (p *peer) Leave() error {
	p.cluster.Shutdown(true)
	return nil
}

func (p *peer) Connect(s trio.Seat) error {
	p.make(0, s).StartClient()
	return nil
}

func (p *peer) Members() int { return p.cluster.MemberList.Members().Len() }

func (p *peer) Ask(grain string, m *benchpb.Question) (*benchpb.Question, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	answer, err := p.cluster.Request(grain, kind, &cluster.GrainRequest{MessageData: data})
	if err != nil {
		return nil, err
	}
	if failed, ok := answer.(*cluster.GrainErrorResponse); ok {
		return nil, failed
	}
	got, _ := answer.(*benchpb.Question)
	return got, nil
}
