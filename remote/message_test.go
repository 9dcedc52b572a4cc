package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
)

// inBubble runs f with two processes, "a:1" and "b:1", on a network in memory.
func inBubble(t *testing.T, f func(t *testing.T, n *memNetwork, a, b *process), opts ...ConfigOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		f(t, n, startProcess(t, n.on("a", 1, opts...)), startProcess(t, n.on("b", 1, opts...)))
	})
}

// request sends any message with a future; what comes back is reply or err.
func (p *process) request(pid *actor.PID, message any) (any, error) {
	return p.system.Root.RequestFuture(pid, message, 30*time.Second).Result()
}

// wantDeadLetter checks that a request was answered at once with a reason.
func (p *process) wantDeadLetter(pid *actor.PID, message any, reason string) {
	p.t.Helper()
	start := time.Now()
	reply, err := p.request(pid, message)
	var dead *actor.DeadLetterError
	if !errors.As(err, &dead) || !strings.Contains(dead.Reason, reason) {
		p.t.Errorf("%T: got %v, %v; want a dead letter: %s", message, reply, err, reason)
	}
	if took := time.Since(start); took > 5*time.Second {
		p.t.Errorf("%T: the dead letter took %v", message, took)
	}
}

// unknownMessage returns a protobuf message of a type that nobody registered.
func unknownMessage(t testing.TB) proto.Message {
	t.Helper()
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("unknown.proto"), Package: new("remote.test"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("Unknown")}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessage(file.Messages().Get(0))
}

func TestMessagesThatCannotBeSent(t *testing.T) {
	inBubble(t, func(_ *testing.T, _ *memNetwork, a, b *process) {
		echo := b.echo("echo")
		var nilText *wrapperspb.StringValue
		a.wantDeadLetter(echo, "a string", "string is no protobuf message")
		a.wantDeadLetter(echo, struct{}{}, "no protobuf message")
		a.wantDeadLetter(echo, nilText, "nil pointer")
		a.wantDeadLetter(echo, nil, actor.DeadLetterNilMessage)
		a.wantDeadLetter(echo, text("\xff"), "UTF-8")
		a.wantDeadLetter(echo, wrapperspb.Bytes(make([]byte, DefaultMaxMessageSize)), "the limit is 4194304")
		a.wantDeadLetter(b.at("id\xff"), text("hello"), "UTF-8")
		a.mustAsk(echo, "and the connection goes on")
	})
}

// What a sender's address adds to a message counts, and it is one.
func TestSenderAddressIsMeasuredAndChecked(t *testing.T) {
	s := &serial{self: "here:1"}
	size := func(address string) (int, error) {
		o := outbound{target: actor.NewPID("there:1", "x"), env: actor.MessageEnvelope{Message: text("x"), Sender: actor.NewPID(address, "s")}}
		err := s.encode(&o)
		return o.size, err
	}
	own, err := size(nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := size(strings.Repeat("x", 94) + ":1"); err != nil || got != own-len("here:1")+96 {
		t.Errorf("size %d, %v; with the own address %d", got, err, own)
	}
	for _, address := range []string{strings.Repeat("x", 1<<20) + ":1", "x", "\xff:1"} {
		if _, err := size(address); err == nil {
			t.Errorf("an address of %d bytes is taken", len(address))
		}
	}
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		echo := b.echo("echo")
		a.wantDeadLetter(echo, unknownMessage(t), `no protobuf message "remote.test.Unknown"`)
		a.mustAsk(echo, "and the connection goes on")
		if got := b.remote.Stats().Undecodable; got != 1 {
			t.Errorf("counted %d undecodable messages, want 1", got)
		}
		u, ok := b.dead.wait(t, 1)[0].Message.(*Undecodable)
		if !ok || u.Peer != "a:1" || u.Type != "remote.test.Unknown" {
			t.Errorf("the event has %+v", u)
		}
	})
}

func TestMessageToNobody(t *testing.T) {
	inBubble(t, func(_ *testing.T, _ *memNetwork, a, b *process) {
		a.wantDeadLetter(b.at("nobody"), text("hello"), actor.DeadLetterNoActor)
	})
}

func TestMessageTooLargeForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a, b := startProcess(t, n.on("a", 1)), startProcess(t, n.on("b", 1, WithMaxMessageSize(1000)))
		echo := b.echo("echo")
		a.wantDeadLetter(echo, wrapperspb.Bytes(make([]byte, 1000)), "the limit is 1000") // before they ever spoke
		a.wantDeadLetter(echo, wrapperspb.Bytes(make([]byte, 1000)), "the limit is 1000")
		a.mustAsk(echo, "small")
	})
}

func TestLargestMessageArrives(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		size := make(chan int, 1)
		pid := b.spawn("size", func(ctx actor.Context) {
			if m, ok := ctx.Message().(*wrapperspb.BytesValue); ok {
				size <- len(m.Value)
			}
		})
		n := DefaultMaxMessageSize - 100
		a.system.Root.Send(pid, wrapperspb.Bytes(make([]byte, n)))
		if got := <-size; got != n {
			t.Errorf("%d bytes arrived, %d were sent", got, n)
		}
	})
}

func TestHeaderAndSenderTravel(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		type seen struct {
			header actor.MessageHeader
			sender *actor.PID
		}
		got := make(chan seen, 1)
		pid := b.spawn("target", func(ctx actor.Context) {
			if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
				got <- seen{ctx.MessageHeader(), ctx.Sender()}
			}
		})
		a.system.Root.RequestWithCustomSender(pid, &actor.MessageEnvelope{
			Header: actor.MessageHeader{"trace": "1", "baggage": ""}, Message: text("hello"),
		}, actor.NewPID(nowhere, "made-before-start"))
		s := <-got
		if s.header.Get("trace") != "1" || len(s.header) != 2 {
			t.Errorf("header: %v", s.header)
		}
		if want := a.at("made-before-start"); !s.sender.Equal(want) {
			t.Errorf("sender: %s, want %s", s.sender, want)
		}
	})
}

func TestOrderPerSenderAndTarget(t *testing.T) {
	const senders, messages = 8, 3000
	a, b := startProcess(t, Configure("127.0.0.1", 0)), startProcess(t, Configure("127.0.0.1", 0))
	targets := make([]*inbox, 3)
	pids := make([]*actor.PID, len(targets))
	for i := range targets {
		pids[i], targets[i] = b.sink(fmt.Sprint("sink", i))
	}
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range messages {
				a.system.Root.Send(pids[i%len(pids)], text("%d %d", s, i))
			}
		})
	}
	all.Wait()
	for _, in := range targets {
		next := make(map[int]int)
		for _, line := range in.wait(t, senders*messages/len(targets)) {
			var s, i int
			if _, err := fmt.Sscan(line, &s, &i); err != nil {
				t.Fatal(err)
			}
			if i < next[s] {
				t.Fatalf("sender %d: %d arrived after %d", s, i, next[s])
			}
			next[s] = i
		}
	}
}

func TestStopAndPoisonAcrossProcesses(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		for _, stop := range []func(*actor.PID) *actor.Future{a.system.Root.StopFuture, a.system.Root.PoisonFuture} {
			pid := b.echo("doomed")
			a.mustAsk(pid, "alive")
			if err := stop(pid).Wait(); err != nil {
				t.Fatal(err)
			}
			a.wantDeadLetter(pid, text("hello"), actor.DeadLetterNoActor)
		}
	})
}

// pointCodec carries point values.
type pointCodec struct{}

type point struct{ x byte }

func (pointCodec) Encode(message any) (string, []byte, bool, error) {
	switch m := message.(type) {
	case point:
		return "point", []byte{m.x}, true, nil
	case string:
		return "", nil, true, errors.New("no strings today")
	case int:
		panic("no numbers at all")
	}
	return "", nil, false, nil
}

func (pointCodec) Decode(name string, data []byte) (any, bool, error) {
	switch {
	case name != "point":
		return nil, false, nil
	case data[0] == 0:
		return nil, true, errors.New("a point at 0")
	case data[0] == 1:
		panic("a point at 1")
	default:
		return point{data[0]}, true, nil
	}
}

func TestCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a := startProcess(t, n.on("a", 1), WithCodec(pointCodec{}))
		b := startProcess(t, n.on("b", 1), WithCodec(pointCodec{}))
		c := startProcess(t, n.on("c", 1))
		reply := func(ctx actor.Context) {
			if m, ok := ctx.Message().(point); ok {
				ctx.Respond(point{m.x + 1})
			}
		}
		pid := b.spawn("points", reply)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, err := actor.Ask[point](ctx, a.system.Root, pid, point{6}); err != nil || got.x != 7 {
			t.Fatalf("got %v, %v", got, err)
		}
		a.wantDeadLetter(pid, "a string", "no strings today")
		a.wantDeadLetter(pid, 1, "panicked")
		a.wantDeadLetter(pid, 1.5, "no protobuf message")
		a.wantDeadLetter(pid, point{0}, "a point at 0")
		a.wantDeadLetter(pid, point{1}, "panicked")
		a.wantDeadLetter(c.spawn("points", reply), point{6}, `no codec for "point"`)
	})
}
