// Command cluster runs the cases of a cluster on Granary, with the provider automanaged as the README starts it and the options that there are by
// default. The grain is generated, and its method says that it may run twice.
package main

import (
	"log/slog"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/peer/granary/grainpb"
	"github.com/granary-go/granary/bench/trio"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/remote"
)

func main() { trio.Main(func() trio.Peer { return &peer{} }) }

// refresh is the time between two pings, as the documentation has it.
const refresh = time.Second

type peer struct{ cluster *cluster.Cluster }

func (p *peer) make(port int, s trio.Seat, kinds ...cluster.Option) *cluster.Cluster {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	p.cluster = cluster.New(system, cluster.Configure("bench",
		automanaged.NewWithConfig(refresh, port, s.Hosts...), remote.Configure("127.0.0.1", 0), kinds...))
	return p.cluster
}

func (p *peer) Join(s trio.Seat) error {
	return p.make(s.Ports[0], s, grainpb.NewEchoKind(func() grainpb.Echo { return &echo{member: s.Number} })).Start()
}

func (p *peer) Leave() error { return p.cluster.Shutdown(true) }

func (p *peer) Connect(s trio.Seat) error { return p.make(0, s).StartClient() }

func (p *peer) Members() int { return len(p.cluster.Members()) }

func (p *peer) Ask(grain string, m *benchpb.Question) (*benchpb.Question, error) {
	return grainpb.GetEchoGrainClient(p.cluster, grain).Ask(m)
}

// echo is the grain.
type echo struct {
	cluster.Grain

	member int
}

func (*echo) Terminate()                   {}
func (*echo) ReceiveDefault(actor.Context) {}

func (e *echo) Ask(m *benchpb.Question, _ cluster.GrainContext) (*benchpb.Question, error) {
	return trio.Answer(m, e.member), nil
}
