package cluster_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/internal/grainpb"
	"github.com/granary-go/granary/remote"
)

// forged is sent as a message of the cluster's, with whatever bytes.
type forged struct {
	name string
	data []byte
}

type forger struct{}

func (forger) Encode(message any) (string, []byte, bool, error) {
	f, ok := message.(*forged)
	if !ok {
		return "", nil, false, nil
	}
	return f.name, f.data, true, nil
}

func (forger) Decode(name string, data []byte) (any, bool, error) {
	return &forged{name, slices.Clone(data)}, true, nil
}

func forge(t *testing.T, m proto.Message) *forged {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return &forged{string(m.ProtoReflect().Descriptor().FullName()), data}
}

// Requests of a peer that cannot be read are answered at once, have not run, and
// harm nobody.
func TestRequestsThatCannotBeRead(t *testing.T) {
	w, orders := newWorld(t), newOrders()
	member := w.member(orders.kind())
	if _, err := callRelay(t.Context(), member, "a"); err != nil {
		t.Fatal(err)
	}
	system := actor.NewActorSystem(actor.WithLogger(quiet()))
	peer := remote.NewRemote(system, remote.Configure("127.0.0.1", 0), remote.WithHandshake(remote.Handshake{Cluster: "test"}), remote.WithCodec(forger{}))
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Shutdown(false) }()
	word := &grainpb.GrainRequest{Method: "Do", Type: "google.protobuf.StringValue", Payload: []byte{0xff, 0xff}}
	long := &grainpb.GrainRequest{Method: "Do", Type: "google.protobuf.StringValue", Waiting: make([]*grainpb.Waiting, cluster.MaxCallDepth+1)}
	for what, message := range map[string]*forged{
		"no protobuf":            {"granary.grain.v1.GrainRequest", []byte{0xff, 0xff, 0xff}},
		"a payload of no sense":  forge(t, word),
		"no type":                forge(t, &grainpb.GrainRequest{Method: "Do"}),
		"an endless chain":       forge(t, long),
		"an endless id":          forge(t, &grainpb.GrainRequest{Method: "Do", Type: "google.protobuf.StringValue", Call: strings.Repeat("x", 1000)}),
		"no cluster's message":   {"granary.grain.v1.Nothing", nil},
		"a cancel of no sense":   {"granary.grain.v1.GrainCancel", []byte{0xff}},
		"a response of no sense": {"granary.grain.v1.GrainResponse", []byte{0xff}},
	} {
		pid := member.Get("a", relayKind)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := system.Root.RequestFuture(actor.NewPID(pid.Address, pid.Id), message, 0).ResultContext(ctx)
		if dead, ok := errors.AsType[*actor.DeadLetterError](err); !ok || !strings.HasPrefix(dead.Reason, remote.ReasonUnreadable) {
			t.Errorf("%s: %v; want a dead letter that says that it is unreadable", what, err)
		}
		cancel()
	}
	// Cancels of what is not there, and of others' requests.
	for _, activation := range []string{"", "nobody", member.Get("a", relayKind).Id} {
		for range 5000 { // more than are remembered
			system.Root.RequestWithCustomSender(actor.NewPID(member.ActorSystem().Address(), "granary.cancels"),
				forge(t, &grainpb.GrainCancel{Activation: activation}), system.NewLocalPID("nobody"))
		}
	}
	if _, err := callRelay(t.Context(), w.client(), "a"); err != nil || orders.runs("a") != 2 {
		t.Errorf("%v after %d runs; want two", err, orders.runs("a"))
	}
}

// A grain that never answers costs its caller the time that it has, and is told;
// whoever waits behind learns that it did not run.
func TestGrainThatNeverAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		release := make(chan struct{})
		orders.words["hang"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			<-ctx.Done()
			orders.tell("told")
			<-release
			return "late", nil
		}
		_, client := b.pair(orders)
		began := time.Now()
		_, err := callRelayWith(t.Context(), client, "a", "hang", cluster.WithTimeout(3*time.Second))
		if !errors.Is(err, cluster.ErrUnknownOutcome) || !errors.Is(err, cluster.ErrTimeout) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		b.hears(orders, "told")
		if _, err := callRelayWith(t.Context(), client, "a", "", cluster.WithTimeout(time.Second)); !errors.Is(err, cluster.ErrTimeout) {
			t.Errorf("behind it: %v", err)
		}
		close(release)
		if _, err := callRelay(t.Context(), client, "a"); err != nil || orders.runs("a") != 2 {
			t.Errorf("%v after %d runs; want two", err, orders.runs("a"))
		}
	})
}

// Of two answers the first counts; the second is nobody's, and no later call's.
func TestGrainThatAnswersTwice(t *testing.T) {
	w, orders := newWorld(t), newOrders()
	orders.words["twice"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
		ctx.Respond(&cluster.GrainResponse{Message: wrapperspb.String("first")})
		return "second", nil
	}
	member := w.member(orders.kind(), on("Plain", func(ctx actor.Context) {
		ctx.Respond(ctx.Message())
		ctx.Respond(wrapperspb.Int64(-1))
	}))
	for _, c := range []*cluster.Cluster{member, w.client()} {
		for i := range int64(20) {
			if got, err := callRelay(t.Context(), c, "a", "twice"); err != nil || got != "first" {
				t.Errorf("%q, %v", got, err)
			}
			if got, err := c.Call("x", "Plain", wrapperspb.Int64(i)); err != nil || got.(*wrapperspb.Int64Value).Value != i {
				t.Errorf("%v, %v; want %d", got, err, i)
			}
		}
	}
}

// picky panics in Init, and refuses an identity in OnActivate.
type picky struct{ cluster.Grain }

func (p *picky) Init(id string) {
	if id == "boom" {
		panic("no such thing")
	}
	p.Grain.Init(id)
}

func (p *picky) OnActivate(cluster.GrainContext) error {
	if p.ID() == "nobody" {
		return errors.New("there is nobody of that name")
	}
	return nil
}

func (*picky) Terminate()                   {}
func (*picky) ReceiveDefault(actor.Context) {}

var pickyDesc = &cluster.GrainDesc[*picky]{
	Kind: "Picky", GoName: "Picky",
	Methods: []cluster.GrainMethod[*picky]{{
		Name: "Say", Request: newInt,
		Call: func(_ *picky, req proto.Message, _ cluster.GrainContext) (proto.Message, error) { return req, nil },
	}},
}

type pickyActor struct{ host cluster.GrainHost[*picky] }

func (a *pickyActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, pickyDesc, func() *picky { return new(picky) }, 0)
}

func TestIdentitiesThatAGrainRefuses(t *testing.T) {
	w := newWorld(t)
	member := w.member(cluster.NewGrainKind("Picky", func() actor.Actor { return new(pickyActor) }))
	for _, c := range []*cluster.Cluster{member, w.client()} {
		for id, want := range map[string]string{"boom": "no such thing", "nobody": "nobody of that name", "fine": ""} {
			began := time.Now()
			_, err := cluster.CallGrain[proto.Message](t.Context(), c, "Picky", id, "Say", wrapperspb.Int64(1))
			ge, ok := errors.AsType[*cluster.GrainError](err)
			if want == "" && err != nil || want != "" && (!ok || ge.Code != cluster.CodeActivation || !strings.Contains(ge.Message, want)) {
				t.Errorf("%s: %v; want CodeActivation with %q", id, err, want)
			}
			if took := time.Since(began); took > cluster.DefaultRequestTimeout/2 {
				t.Errorf("%s: it took %v", id, took)
			}
		}
	}
}

// A client that reaches nobody says so when the time is up, and goes on when it
// reaches somebody again.
func TestClientThatIsCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		_, client := b.pair(orders)
		b.process(orders.kind())
		b.calls(client, "a")
		b.network.set(true)
		synctest.Wait()                            // a call before the client notices may have run
		for _, id := range []string{"a", "cold"} { // one that is cached, and one that is not
			began := time.Now()
			_, err := callRelayWith(t.Context(), client, id, "", cluster.WithTimeout(5*time.Second))
			if err == nil || errors.Is(err, cluster.ErrUnknownOutcome) || !errors.Is(err, cluster.ErrTimeout) || time.Since(began) != 5*time.Second {
				t.Errorf("%s: %v after %v; want ErrTimeout, and no doubt", id, err, time.Since(began))
			}
			if !strings.Contains(err.Error(), "cannot reach") {
				t.Errorf("%s: %v; want who is not reached", id, err)
			}
		}
		b.network.set(false)
		for _, id := range []string{"a", "cold"} {
			if _, err := callRelay(t.Context(), client, id); err != nil || orders.runs(id) == 0 {
				t.Errorf("%s: %v", id, err)
			}
		}
		if orders.runs("cold") != 1 || orders.runs("a") != 2 {
			t.Errorf("%d and %d runs", orders.runs("a"), orders.runs("cold"))
		}
	})
}

// However many call a grain that is not active, it is activated once, and each call
// runs once.
func TestManyCallersOfAColdGrain(t *testing.T) {
	w, orders := newWorld(t), newOrders()
	var activations atomic.Int64
	orders.activate = func(*relay, cluster.GrainContext) error { activations.Add(1); return nil }
	members := []*cluster.Cluster{w.member(orders.kind()), w.member(orders.kind()), w.client()}
	for _, c := range members {
		sees(t, c, 2)
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	var failed atomic.Int64
	for i := range manyCallers {
		wg.Go(func() {
			<-start
			if _, err := callRelayWith(t.Context(), members[i%len(members)], "cold", "", cluster.WithTimeout(2*time.Minute)); err != nil && failed.Add(1) < 5 {
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	if activations.Load() != 1 || orders.runs("cold") != manyCallers {
		t.Errorf("%d activations, %d runs of %d calls", activations.Load(), orders.runs("cold"), manyCallers)
	}
}
