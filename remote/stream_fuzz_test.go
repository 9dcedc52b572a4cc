package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// fuzzedStream is what a peer sends, as the process that it dialled sees it.
type fuzzedStream struct {
	ctx    context.Context
	frames *bufio.Reader
}

func (s *fuzzedStream) Recv() (*remotepb.Frame, error) {
	f := &remotepb.Frame{}
	return f, s.RecvMsg(f)
}

func (s *fuzzedStream) RecvMsg(m any) error {
	if err := protodelim.UnmarshalFrom(s.frames, m.(proto.Message)); err != nil {
		return io.EOF
	}
	return nil
}

func (s *fuzzedStream) Context() context.Context   { return s.ctx }
func (*fuzzedStream) Send(*remotepb.Frame) error   { return nil }
func (*fuzzedStream) SetHeader(metadata.MD) error  { return nil }
func (*fuzzedStream) SendHeader(metadata.MD) error { return nil }
func (*fuzzedStream) SetTrailer(metadata.MD)       {}
func (*fuzzedStream) SendMsg(any) error            { return nil }

func delimited(t testing.TB, frames ...*remotepb.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, f := range frames {
		if _, err := protodelim.MarshalTo(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// FuzzStream has a peer that says anything, the handshake included. The connection
// ends, with a status that says why, and the process is in good health.
func FuzzStream(f *testing.F) {
	batch, err := proto.Marshal(echoBatch(text("x")))
	if err != nil {
		f.Fatal(err)
	}
	hello := goodHello("fuzzed:1")
	hello.Capabilities, hello.First = capabilities, 7
	hello.Arrived = &remotepb.Arrived{Incarnation: 5, Messages: 3}
	first := &remotepb.Frame{Kind: &remotepb.Frame_Hello{Hello: hello}}
	f.Add(delimited(f, first))
	f.Add(delimited(f, &remotepb.Frame{}))
	f.Add(delimited(f, first, first))
	f.Add(delimited(f, first, &remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: batch}},
		&remotepb.Frame{Kind: &remotepb.Frame_Acknowledgement{Acknowledgement: &remotepb.Acknowledgement{Messages: 1}}}))
	f.Add(delimited(f, first, &remotepb.Frame{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: batch[:4]}}},
		&remotepb.Frame{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: batch[4:], Last: true}}}))
	f.Add(delimited(f, first, &remotepb.Frame{Kind: &remotepb.Frame_Leaving{}}, &remotepb.Frame{Kind: &remotepb.Frame_Goodbye{}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		logs := &logBook{}
		system := actor.NewActorSystem(actor.WithLogger(slog.New(logs)))
		defer system.Shutdown()
		n := newMemNetwork()
		r := NewRemote(system, n.on("fuzzed", 1))
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Shutdown(false) }()
		echo := actor.PropsFromFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(proto.Message); ok {
				ctx.Respond(m)
			}
		})
		if _, err := system.Root.SpawnNamed(echo, "echo"); err != nil {
			t.Fatal(err)
		}
		err := (&service{remote: r}).Connect(&fuzzedStream{ctx: t.Context(), frames: bufio.NewReader(bytes.NewReader(data))})
		if err != nil && status.Code(err) == codes.Unknown && !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
		if logs.has("panicked") {
			t.Error("something panicked")
		}
		// The peer may have stopped the actor that it knows.
		if _, err := actor.Ask[proto.Message](t.Context(), system.Root, system.Root.Spawn(echo), text("in good health")); err != nil {
			t.Error(err)
		}
	})
}

// FuzzReply has a peer that answers a Hello with anything. What is taken makes sense.
func FuzzReply(f *testing.F) {
	good := &remotepb.HelloReply{Version: 1, Address: "there:1", Incarnation: 3, Member: "m", Capabilities: capabilities, First: 9,
		Arrived: &remotepb.Arrived{Incarnation: 5, Messages: 3}}
	data, err := proto.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	r := NewRemote(system, Configure("here", 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		var reply remotepb.HelloReply
		if proto.Unmarshal(data, &reply) != nil || r.checkReply("there:1", &reply) != nil {
			return
		}
		if reply.Version != protocolVersion || reply.Address != "there:1" || reply.Incarnation == 0 || reply.Cluster != "" || len(reply.Member) > maxName {
			t.Errorf("taken: %v", &reply)
		}
		if limit := r.limit(reply.MaxMessageSize); limit <= 0 || limit > DefaultMaxMessageSize {
			t.Errorf("the limit is %d", limit)
		}
		d := &doubt{first: 2, items: make([]flying, 5)}
		if lost, _, _ := d.split(r.answerOf(reply.Arrived), "there:1", errClosing); len(lost) > 5 {
			t.Errorf("%d of 5 messages were lost", len(lost))
		}
	})
}
