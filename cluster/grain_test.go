package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

// subject is a grain as generated code would host it.
type subject struct {
	cluster.Grain
	runs    int64
	entered chan struct{}
}

func (*subject) Terminate() {}

func (*subject) ReceiveDefault(ctx actor.Context) {
	if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
		panic(m.Value)
	}
}

var subjectDesc = &cluster.GrainDesc[*subject]{
	Kind: "Subject", GoName: "Subject",
	Methods: []cluster.GrainMethod[*subject]{
		{Name: "Run", Request: newInt, Call: func(g *subject, _ proto.Message, _ cluster.GrainContext) (proto.Message, error) {
			g.runs++
			return wrapperspb.Int64(g.runs), nil
		}},
		{Name: "Wait", Request: newInt, Call: func(g *subject, _ proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
			close(g.entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		{Name: "Self", Request: newInt, Call: func(g *subject, req proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
			return callSubject(ctx, ctx.Cluster(), g.ID(), "Run", req)
		}},
		{Name: "Wrapped", Request: newInt, Call: func(*subject, proto.Message, cluster.GrainContext) (proto.Message, error) {
			return nil, fmt.Errorf("outer: %w", &cluster.GrainError{Code: cluster.CodePanic, Message: "inner"})
		}},
		{Name: "NilError", Request: newInt, Call: func(*subject, proto.Message, cluster.GrainContext) (proto.Message, error) {
			var none *cluster.GrainError
			return nil, none
		}},
		{Name: "Garbled", Request: newInt, Call: func(*subject, proto.Message, cluster.GrainContext) (proto.Message, error) {
			return nil, errors.New("bytes \xff")
		}},
		{Name: "Nothing", Request: newInt, Call: func(*subject, proto.Message, cluster.GrainContext) (proto.Message, error) {
			return (*wrapperspb.Int64Value)(nil), nil
		}},
		{Name: "Huge", Request: newInt, Call: func(*subject, proto.Message, cluster.GrainContext) (proto.Message, error) {
			return wrapperspb.Bytes(make([]byte, 5<<20)), nil
		}},
	},
}

func newInt() proto.Message { return new(wrapperspb.Int64Value) }

type subjectActor struct {
	host    cluster.GrainHost[*subject]
	entered chan struct{}
}

func (a *subjectActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, subjectDesc, func() *subject { return &subject{entered: a.entered} }, 0)
}

func subjects(entered chan struct{}) *cluster.Kind {
	return cluster.NewGrainKind("Subject", func() actor.Actor { return &subjectActor{entered: entered} })
}

func callSubject(ctx context.Context, c *cluster.Cluster, id, method string, req proto.Message) (proto.Message, error) {
	return cluster.CallGrain[proto.Message](ctx, c, "Subject", id, method, req)
}

func TestErrorsOfAGrain(t *testing.T) {
	w := newWorld(t)
	member := w.member(subjects(nil))
	for where, c := range map[string]*cluster.Cluster{"here": member, "in another process": w.client()} {
		for _, want := range []struct {
			method, text string
			code         cluster.Code
		}{
			{"Wrapped", "outer: ", cluster.CodeGrain},
			{"NilError", "nil *GrainError", cluster.CodeInvalidReply},
			{"Garbled", "bytes ", cluster.CodeGrain},
			{"Nothing", "neither a reply nor an error", cluster.CodeInvalidReply},
			{"Missing", "no method", cluster.CodeUnknownMethod},
		} {
			_, err := callSubject(t.Context(), c, want.method, want.method, wrapperspb.Int64(1))
			ge, ok := errors.AsType[*cluster.GrainError](err)
			if !ok || ge.Code != want.code || !strings.Contains(ge.Message, want.text) {
				t.Errorf("%s, %s: %v; want %v with %q", want.method, where, err, want.code, want.text)
			}
		}
		_, err := callSubject(t.Context(), c, "x", "Run", wrapperspb.String("no number"))
		if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != cluster.CodeInvalidRequest {
			t.Errorf("a request of another type, %s: %v", where, err)
		}
	}
}

// A member of an older version knows neither a new rpc nor the message that it takes.
func TestRequestOfANewerVersion(t *testing.T) {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Syntax: new("proto3"), Name: new("newer.proto"), Package: new("newer"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("Request")}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	member := w.member(subjects(nil))
	for where, c := range map[string]*cluster.Cluster{"here": member, "in another process": w.client()} {
		for method, want := range map[string]cluster.Code{"Missing": cluster.CodeUnknownMethod, "Run": cluster.CodeInvalidRequest} {
			_, err := callSubject(t.Context(), c, "x", method, dynamicpb.NewMessage(file.Messages().Get(0)))
			if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != want {
				t.Errorf("%s, %s: %v; want %v", method, where, err, want)
			}
		}
	}
}

// A reply that cannot cross ends the call at once.
func TestReplyThatCannotCross(t *testing.T) {
	w := newWorld(t)
	w.member(subjects(nil))
	began := time.Now()
	_, err := callSubject(t.Context(), w.client(), "x", "Huge", wrapperspb.Int64(1))
	if !errors.Is(err, cluster.ErrUnknownOutcome) || !errors.Is(err, remote.ErrReplyLost) || time.Since(began) > cluster.DefaultRequestTimeout/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestPanicInReceiveDefault(t *testing.T) {
	w := newWorld(t)
	c := w.member(subjects(nil))
	_, err := c.Call("x", "Subject", wrapperspb.String("boom"))
	if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != cluster.CodePanic || !strings.Contains(ge.Message, "boom") {
		t.Errorf("%v; want CodePanic", err)
	}
}

func TestGrainThatCallsItself(t *testing.T) {
	w := newWorld(t)
	c := w.member(subjects(nil))
	_, err := callSubject(t.Context(), c, "x", "Self", wrapperspb.Int64(1))
	if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || !strings.Contains(ge.Message, cluster.ErrCallCycle.Error()) {
		t.Errorf("%v; want ErrCallCycle", err)
	}
}

// Requests that wait in a busy grain until their callers have given up do not
// run.
func TestRequestsWhoseCallerHasGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		entered := make(chan struct{})
		member := b.process(subjects(entered))
		client := b.process()
		busy, release := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := callSubject(busy, member, "x", "Wait", wrapperspb.Int64(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("the call that kept it busy: %v", err)
			}
		}()
		<-entered
		for _, c := range []*cluster.Cluster{member, client} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			if _, err := callSubject(ctx, c, "x", "Run", wrapperspb.Int64(1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a call behind it: %v", err)
			}
			cancel()
		}
		synctest.Wait()
		release()
		<-done
		got, err := callSubject(t.Context(), client, "x", "Run", wrapperspb.Int64(1))
		if m, ok := got.(*wrapperspb.Int64Value); err != nil || !ok || m.Value != 1 {
			t.Errorf("%v, %v: calls that had ended ran", got, err)
		}
	})
}

// A method that heeds its context does not use up the time of a shutdown.
func TestShutdownReachesRunningMethods(t *testing.T) {
	w := newWorld(t)
	entered := make(chan struct{})
	c := w.make(subjects(entered), cluster.WithShutdownTimeout(2*time.Second))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := callSubject(t.Context(), c, "x", "Wait", wrapperspb.Int64(1))
		done <- err
	}()
	<-entered
	if err := c.Shutdown(true); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-done; err == nil {
		t.Error("the method was not told")
	}
}
