package actor_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// bubble runs f with a system whose actors all live in a synctest bubble, and
// shuts the system down.
func bubble(t *testing.T, f func(t *testing.T, s *actor.ActorSystem)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := actor.NewActorSystem(actor.WithLogger(discard))
		defer s.Shutdown()
		f(t, s)
	})
}

// pass lets fake time pass, in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// recorder keeps what happened, in order.
type recorder struct {
	mu  sync.Mutex
	got []string
}

func (r *recorder) add(v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, describe(v))
}

// take returns what was recorded since the last take, once every actor is idle.
func (r *recorder) take() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// want fails t unless what was recorded is exactly this.
func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		t.Fatalf("recorded %q, want %q", got, want)
	}
}

// describe names a message: lifecycle messages by their type, others by value.
func describe(v any) string {
	switch m := v.(type) {
	case string:
		return m
	case *actor.Terminated:
		return fmt.Sprintf("terminated %s: %s", m.Who.Id, m.Why)
	case *actor.DeadLetterEvent:
		return fmt.Sprintf("dead letter %v: %s", m.Message, m.Reason)
	case *actor.DeadLetterResponse:
		return fmt.Sprintf("undelivered to %s: %s", m.Target.Id, m.Reason)
	case *actor.SupervisorEvent:
		return fmt.Sprintf("%s %s: %v", m.Directive, m.Child.Id, m.Reason)
	case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Restarting, *actor.ReceiveTimeout:
		return fmt.Sprintf("%T", v)[len("*actor."):]
	default:
		return fmt.Sprint(v)
	}
}

// recording returns props of an actor that records every message.
func recording(r *recorder, opts ...actor.PropsOption) *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) { r.add(ctx.Message()) }, opts...)
}

// deadLetters records the system's dead letters.
func deadLetters(s *actor.ActorSystem) *recorder {
	r := &recorder{}
	actor.SubscribeTo(s.EventStream, func(e *actor.DeadLetterEvent) { r.add(e) })
	return r
}

// do is a message that runs in the actor that receives it.
type do func(ctx actor.Context)

// doer returns props of an actor that runs what it is sent and records the rest.
func doer(r *recorder, opts ...actor.PropsOption) *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		if f, ok := ctx.Message().(do); ok {
			f(ctx)
			return
		}
		r.add(ctx.Message())
	}, opts...)
}

// logBuffer collects log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func typeOf(v any) string { return fmt.Sprintf("%T", v) }

func sprint(v any) string { return fmt.Sprint(v) }
