package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// rawPeer speaks the protocol by hand to a process.
type rawPeer struct {
	t      *testing.T
	stream grpc.BidiStreamingClient[remotepb.Frame, remotepb.Frame]
}

func (n *memNetwork) rawPeer(t *testing.T, address string, opts ...grpc.CallOption) *rawPeer {
	t.Helper()
	client, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(n.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	t.Cleanup(func() { cancel(); _ = client.Close() })
	stream, err := remotepb.NewRemotingClient(client).Connect(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return &rawPeer{t: t, stream: stream}
}

// goodHello is one that the process at target accepts.
func goodHello(target string) *remotepb.Hello {
	return &remotepb.Hello{MinVersion: 1, MaxVersion: 1, Address: "raw:1", Target: target, Incarnation: 5, Attempt: 1}
}

func (p *rawPeer) send(f *remotepb.Frame) {
	p.t.Helper()
	if err := p.stream.Send(f); err != nil {
		p.t.Fatalf("sending: %v", err)
	}
}

func (p *rawPeer) hello(h *remotepb.Hello) {
	p.t.Helper()
	p.send(&remotepb.Frame{Kind: &remotepb.Frame_Hello{Hello: h}})
}

// connect introduces the peer and waits for the answer.
func (p *rawPeer) connect(target string) {
	p.t.Helper()
	p.greet(goodHello(target))
}

func (p *rawPeer) greet(h *remotepb.Hello) {
	p.t.Helper()
	p.hello(h)
	if f, err := p.stream.Recv(); err != nil || f.GetHelloReply() == nil {
		p.t.Fatalf("instead of a HelloReply: %v, %v", f, err)
	}
}

func (p *rawPeer) batch(b *remotepb.Batch) {
	p.t.Helper()
	data, err := proto.Marshal(b)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: data}})
}

// received returns the next batch.
func (p *rawPeer) received() *remotepb.Batch {
	p.t.Helper()
	f, err := p.stream.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	b := &remotepb.Batch{}
	if err := proto.Unmarshal(f.GetBatch(), b); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// end waits for the end of the stream.
func (p *rawPeer) end() error {
	for {
		if _, err := p.stream.Recv(); err != nil {
			return err
		}
	}
}

// wantEnd checks how the process ends the stream.
func (p *rawPeer) wantEnd(code codes.Code, text string) {
	p.t.Helper()
	wantStatus(p.t, p.end(), code, text)
}

func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("the stream ended with %v, want %s: %s", err, code, text)
	}
}

// attacked runs an attack on a process, which is to be in good health afterwards.
func attacked(t *testing.T, attack func(t *testing.T, n *memNetwork, b *process), opts ...ConfigOption) {
	t.Helper()
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		b.echo("echo")
		attack(t, n, b)
		a.mustAsk(b.at("echo"), "in good health")
		if b.logs.has("panicked") {
			t.Error("something panicked")
		}
	}, opts...)
}

func TestHelloThatIsRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*remotepb.Hello)
		code   codes.Code
		reason refusal
		text   string
	}{
		{"other cluster", func(h *remotepb.Hello) { h.Cluster = "other" }, codes.FailedPrecondition, refusalOtherCluster, `cluster "", not of "other"`},
		{"newer version", func(h *remotepb.Hello) { h.MinVersion, h.MaxVersion = 2, 9 }, codes.Unimplemented, refusalNoVersion, "2 to 9 there, 1 here"},
		{"no version", func(h *remotepb.Hello) { h.MinVersion, h.MaxVersion = 0, 0 }, codes.InvalidArgument, refusalInvalid, "versions"},
		{"versions reversed", func(h *remotepb.Hello) { h.MinVersion, h.MaxVersion = 2, 1 }, codes.InvalidArgument, refusalInvalid, "versions"},
		{"other address", func(h *remotepb.Hello) { h.Target = "c:1" }, codes.FailedPrecondition, refusalOtherAddress, `b:1, not "c:1"`},
		{"own address", func(h *remotepb.Hello) { h.Address = "b:1" }, codes.InvalidArgument, refusalInvalid, "which is this process"},
		{"no address", func(h *remotepb.Hello) { h.Address = "" }, codes.InvalidArgument, refusalInvalid, "host:port"},
		{"nonsense address", func(h *remotepb.Hello) { h.Address = "a b:1" }, codes.InvalidArgument, refusalInvalid, "host name"},
		{"endless address", func(h *remotepb.Hello) { h.Address = strings.Repeat("x", 1<<20) + ":1" }, codes.InvalidArgument, refusalInvalid, "512 bytes"},
		{"endless member", func(h *remotepb.Hello) { h.Member = strings.Repeat("x", 1<<20) }, codes.InvalidArgument, refusalInvalid, "1024 bytes"},
		{"no incarnation", func(h *remotepb.Hello) { h.Incarnation = 0 }, codes.InvalidArgument, refusalInvalid, "incarnation"},
		{"no attempt", func(h *remotepb.Hello) { h.Attempt = 0 }, codes.InvalidArgument, refusalInvalid, "attempt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			attacked(t, func(t *testing.T, n *memNetwork, b *process) {
				p, h := n.rawPeer(t, "b:1"), goodHello("b:1")
				test.change(h)
				p.hello(h)
				err := p.end()
				wantStatus(t, err, test.code, test.text)
				details := status.Convert(err).Details()
				if len(details) != 1 || details[0].(*remotepb.Refusal).Reason != test.reason {
					t.Errorf("details %v, want %s", details, test.reason)
				}
				if got := b.remote.Stats().Refused; got != 1 {
					t.Errorf("counted %d refused connections", got)
				}
			})
		})
	}
}

func TestHelloThatNeverComes(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		start := time.Now()
		n.rawPeer(t, "b:1").wantEnd(codes.DeadlineExceeded, "no Hello")
		if took := time.Since(start); took != DefaultDialTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

func TestFirstFrameThatIsNoHello(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		for _, f := range []*remotepb.Frame{{}, {Kind: &remotepb.Frame_Goodbye{}}, {Kind: &remotepb.Frame_Batch{Batch: []byte("x")}}} {
			p := n.rawPeer(t, "b:1")
			p.send(f)
			p.wantEnd(codes.InvalidArgument, "is to be a Hello")
		}
	})
}

func TestSecondHello(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.hello(goodHello("b:1"))
		p.wantEnd(codes.Unavailable, "twice")
	})
}

func TestStaleHello(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p, again := n.rawPeer(t, "b:1"), n.rawPeer(t, "b:1")
		p.connect("b:1")
		again.hello(goodHello("b:1"))
		again.wantEnd(codes.Aborted, "newer")
	})
}

func TestNewConnectionReplacesTheOld(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p, next, other, old := n.rawPeer(t, "b:1"), n.rawPeer(t, "b:1"), n.rawPeer(t, "b:1"), n.rawPeer(t, "b:1")
		p.connect("b:1")
		h := goodHello("b:1")
		h.Attempt = 2
		next.greet(h)
		p.wantEnd(codes.Unavailable, "anew")
		h.Incarnation, h.Attempt = 6, 1
		other.greet(h)
		next.wantEnd(codes.Unavailable, "anew")
		h.Incarnation, h.Attempt = 5, 3
		old.hello(h)
		old.wantEnd(codes.FailedPrecondition, "two processes must not share one")
	})
}

func TestFramesOfALaterVersion(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		var later remotepb.Frame
		if err := proto.Unmarshal([]byte{0x9a, 0x06, 1, 'x'}, &later); err != nil {
			t.Fatal(err)
		}
		p.send(&later)
		p.batch(echoBatch(text("still there")))
		p.wantEcho("still there")
	})
}

// echoBatch is a message to the actor "echo" from "asker".
func echoBatch(m proto.Message) *remotepb.Batch {
	data, _ := proto.Marshal(m)
	return &remotepb.Batch{
		Targets: []string{"echo"}, Senders: []*remotepb.PID{{Address: "raw:1", Id: "asker"}},
		Types:     []*remotepb.Type{{Name: string(m.ProtoReflect().Descriptor().FullName())}},
		Envelopes: []*remotepb.Envelope{{Sender: 1, Data: data}},
	}
}

func (p *rawPeer) wantEcho(want string) {
	p.t.Helper()
	b := p.received()
	var got wrapperspb.StringValue
	if err := proto.Unmarshal(b.Envelopes[0].Data, &got); err != nil || got.Value != want || b.Targets[0] != "asker" {
		p.t.Errorf("got %v, want %q echoed", b, want)
	}
}

func TestEnvelopesThatMakeNoSense(t *testing.T) {
	control := func(c *remotepb.Control) func(*remotepb.Batch) {
		return func(b *remotepb.Batch) { b.Envelopes[0].Control = c }
	}
	foreign := &remotepb.PID{Address: "third:1", Id: "x"}
	tests := []struct {
		name    string
		change  func(*remotepb.Batch)
		reason  string
		noReply bool
	}{
		{"target out of range", func(b *remotepb.Batch) { b.Envelopes[0].Target = 1 }, "target is out of range", false},
		{"target far out of range", func(b *remotepb.Batch) { b.Envelopes[0].Target = 1<<32 - 1 }, "target is out of range", false},
		{"sender out of range", func(b *remotepb.Batch) { b.Envelopes[0].Sender = 2 }, "sender is out of range", true},
		{"sender without address", func(b *remotepb.Batch) { b.Senders[0].Address = "" }, "no address", true},
		{"sender nowhere", func(b *remotepb.Batch) { b.Senders[0].Address = nowhere }, "no address", true},
		{"sender of an endless address", func(b *remotepb.Batch) { b.Senders[0].Address = strings.Repeat("x", 1<<20) + ":1" }, "512 bytes", true},
		{"sender of a nonsense address", func(b *remotepb.Batch) { b.Senders[0].Address = "x" }, "not host:port", true},
		{"type out of range", func(b *remotepb.Batch) { b.Envelopes[0].Type = 1 }, "type is out of range", false},
		{"no tables", func(b *remotepb.Batch) { b.Targets, b.Types = nil, nil }, "target is out of range", false},
		{"unknown type", func(b *remotepb.Batch) { b.Types[0].Name = "no.Such" }, `no protobuf message "no.Such"`, false},
		{"type that is no message", func(b *remotepb.Batch) { b.Types[0].Name = "google.protobuf.NullValue" }, "no protobuf message", false},
		{"nonsense type", func(b *remotepb.Batch) { b.Types[0].Name = "\x00//" }, "no protobuf message", false},
		{"unknown serializer", func(b *remotepb.Batch) { b.Types[0].Serializer = "json" }, `no serializer "json"`, false},
		{"no codec", func(b *remotepb.Batch) { b.Types[0].Serializer = "codec" }, "no codec", false},
		{"data of another type", func(b *remotepb.Batch) { b.Envelopes[0].Data = []byte{0xff} }, "cannot parse", false},
		{"no control", control(&remotepb.Control{}), "no such message", false},
		{"watch by nobody", control(&remotepb.Control{Kind: &remotepb.Control_Watch{Watch: &remotepb.Watch{}}}), "PID is missing", false},
		{"watch by a third", control(&remotepb.Control{Kind: &remotepb.Control_Watch{Watch: &remotepb.Watch{Watcher: foreign}}}), "its own actors", false},
		{"unwatch by a third", control(&remotepb.Control{Kind: &remotepb.Control_Unwatch{Unwatch: &remotepb.Unwatch{Watcher: foreign}}}), "its own actors", false},
		{"end of a third's actor", control(&remotepb.Control{Kind: &remotepb.Control_Terminated{Terminated: &remotepb.Terminated{Who: foreign}}}), "its own actors", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			attacked(t, func(t *testing.T, n *memNetwork, b *process) {
				p := n.rawPeer(t, "b:1")
				p.connect("b:1")
				batch := echoBatch(text("x"))
				test.change(batch)
				p.batch(batch)
				event := b.dead.wait(t, 1)[0]
				if !strings.Contains(event.Reason, test.reason) || !strings.HasPrefix(event.Reason, ReasonUnreadable) {
					t.Errorf("dead letter: %s; want %s", event.Reason, test.reason)
				}
				if !test.noReply {
					reply := p.received()
					if got := reply.Envelopes[0].Control.GetDeadLetterResponse().GetReason(); !strings.Contains(got, test.reason) || reply.Targets[0] != "asker" {
						t.Errorf("answered with %v", reply)
					}
				}
				p.batch(echoBatch(text("the stream goes on")))
				p.wantEcho("the stream goes on")
				if got := b.remote.Stats().Undecodable; got != 1 {
					t.Errorf("counted %d undecodable messages", got)
				}
			})
		})
	}
}

func TestControlsThatNobodyWaitsFor(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		own := &remotepb.PID{Address: "raw:1", Id: "x"}
		controls := []*remotepb.Control{
			{Kind: &remotepb.Control_Terminated{Terminated: &remotepb.Terminated{Who: own, Why: 77}}},
			{Kind: &remotepb.Control_Unwatch{Unwatch: &remotepb.Unwatch{Watcher: own}}},
			{Kind: &remotepb.Control_DeadLetterResponse{DeadLetterResponse: &remotepb.DeadLetterResponse{}}},
			{Kind: &remotepb.Control_Watch{Watch: &remotepb.Watch{Watcher: own}}},
			{Kind: &remotepb.Control_Watch{Watch: &remotepb.Watch{Watcher: own}}},
		}
		batch := &remotepb.Batch{Targets: []string{"echo", "", "nobody", "echo/child"}}
		for i := range batch.Targets {
			for _, c := range controls {
				batch.Envelopes = append(batch.Envelopes, &remotepb.Envelope{Target: uint32(i), Control: c})
			}
		}
		p.batch(batch)
		for answers := 0; answers < 6; { // each of the two watches of three that nobody has
			for _, e := range p.received().Envelopes {
				if e.Control.GetTerminated().GetWhy() != remotepb.Terminated_REASON_NOT_FOUND {
					t.Errorf("answered with %v", e)
				}
				answers++
			}
		}
	})
}

func TestBatchThatIsNone(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: []byte{0xff}}})
		p.wantEnd(codes.InvalidArgument, "malformed batch")
	})
}

func TestBatchOfAMillionEmptyEnvelopes(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: bytes.Repeat([]byte{0x22, 0}, 1<<20)}})
		p.wantEnd(codes.InvalidArgument, "more than 65536")
	})
}

func TestFrameOverTheLimit(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: make([]byte, b.remote.config.maxFrame()+1)}})
		p.wantEnd(codes.ResourceExhausted, "larger than max")
	})
}

func TestPeerThatSaysGoodbyeAndStays(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Goodbye{}})
		if err := p.end(); !errors.Is(err, io.EOF) {
			t.Errorf("after both goodbyes: %v", err)
		}
	})
}

// A peer that answers with something else than the protocol asks for.
type badAcceptor struct {
	remotepb.UnimplementedRemotingServer
	reply *remotepb.Frame
}

func (s *badAcceptor) Connect(stream grpc.BidiStreamingServer[remotepb.Frame, remotepb.Frame]) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if s.reply != nil {
		if err := stream.Send(s.reply); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

func TestReplyThatMakesNoSense(t *testing.T) {
	good := func(change func(*remotepb.HelloReply)) *remotepb.Frame {
		h := &remotepb.HelloReply{Version: 1, Address: "bad:1", Incarnation: 3}
		change(h)
		return &remotepb.Frame{Kind: &remotepb.Frame_HelloReply{HelloReply: h}}
	}
	tests := map[string]struct {
		reply *remotepb.Frame
		text  string
	}{
		"none":           {nil, errHandshake.Error()},
		"empty":          {&remotepb.Frame{}, "something else"},
		"other cluster":  {good(func(h *remotepb.HelloReply) { h.Cluster = "x" }), `cluster "x"`},
		"other version":  {good(func(h *remotepb.HelloReply) { h.Version = 2 }), "version 2"},
		"other address":  {good(func(h *remotepb.HelloReply) { h.Address = "c:1" }), `calls itself "c:1"`},
		"no incarnation": {good(func(h *remotepb.HelloReply) { h.Incarnation = 0 }), "no sense"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *memNetwork, a, _ *process) {
				l, err := n.listen(t.Context(), "bad:1")
				if err != nil {
					t.Fatal(err)
				}
				server := grpc.NewServer()
				remotepb.RegisterRemotingServer(server, &badAcceptor{reply: test.reply})
				go func() { _ = server.Serve(l) }()
				defer server.Stop()
				a.wantDeadLetter(actor.NewPID("bad:1", "x"), text("x"), test.text)
			})
		})
	}
}

// What speaks another protocol is turned away, over real sockets.
func TestOtherProtocols(t *testing.T) {
	b := startProcess(t, Configure("127.0.0.1", 0))
	a := startProcess(t, Configure("127.0.0.1", 0))
	b.echo("echo")

	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		garbage := make([]byte, 1+r.IntN(5000))
		for i := range garbage {
			garbage[i] = byte(r.Uint32())
		}
		opening := []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01"}[seed%4]
		c, err := net.Dial("tcp", b.remote.Address())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(append([]byte(opening), garbage...)) // it may be turned away at any byte
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
	a.mustAsk(b.at("echo"), "in good health")
}

// A process that listens and is no peer.
func TestPeerThatSpeaksAnotherProtocol(t *testing.T) {
	a := startProcess(t, Configure("127.0.0.1", 0, WithDialTimeout(time.Second)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(c, "220 mail.example.org ESMTP\r\n")
			_ = c.Close()
		}
	}()
	a.wantDeadLetter(actor.NewPID(l.Addr().String(), "x"), text("x"), "cannot reach")
}

func TestPeerOfAnotherService(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, _ *process) {
		l, err := n.listen(t.Context(), "bad:1")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		go func() { _ = server.Serve(l) }()
		defer server.Stop()
		a.wantDeadLetter(actor.NewPID("bad:1", "x"), text("x"), "unknown service")
		synctest.Wait()
	})
}

// A peer that dies in the middle of a message: it is not delivered, and the next connection begins anew.
func TestPeerThatDiesWithinAMessage(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		data, err := proto.Marshal(echoBatch(text("half")))
		if err != nil {
			t.Fatal(err)
		}
		p := rawReceiver(t, n, goodHello("b:1"))
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: data[:len(data)/2]}}})
		synctest.Wait()
		n.cut("b:1")
		synctest.Wait()
		h := goodHello("b:1")
		h.Attempt = 2
		p = n.rawPeer(t, "b:1")
		p.hello(h)
		f, err := p.stream.Recv()
		if err != nil || f.GetHelloReply().GetArrived().GetMessages() != 0 {
			t.Fatalf("%v, %v; want nothing to have arrived", f, err)
		}
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: data, Last: true}}})
		p.wantEcho("half")
		if got := b.remote.Stats().Received; got != 1 {
			t.Errorf("received %d messages, want one", got)
		}
	})
}
