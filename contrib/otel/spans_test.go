package granaryotel_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spans keeps the spans that have ended.
type spans struct {
	mu   sync.Mutex // guards all and open
	all  []sdktrace.ReadOnlySpan
	open int
}

func (s *spans) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
}

func (s *spans) OnEnd(span sdktrace.ReadOnlySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.all = append(s.all, span)
}

func (*spans) Shutdown(context.Context) error   { return nil }
func (*spans) ForceFlush(context.Context) error { return nil }

// take waits until all spans have ended, and gives them.
func (s *spans) take(t testing.TB) []sdktrace.ReadOnlySpan {
	t.Helper()
	eventually(t, "some spans have not ended", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.open == 0
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.all
	s.all = nil
	return taken
}

// seen is a span as it is compared.
type seen struct {
	trace, id, parent string
	links             []string
	process           string // if it is known
	kind, name        string
	failed            bool
	start             time.Time
}

func seenOf(s sdktrace.ReadOnlySpan) seen {
	one := seen{
		trace: s.SpanContext().TraceID().String(), id: s.SpanContext().SpanID().String(), parent: s.Parent().SpanID().String(),
		kind: s.SpanKind().String(), name: s.Name(), failed: s.Status().Code == codes.Error, start: s.StartTime(),
	}
	for _, l := range s.Links() {
		one.links = append(one.links, l.SpanContext.SpanID().String())
	}
	return one
}

// tree writes spans, the earliest first, each below its parent.
func tree(all []seen) string {
	slices.SortStableFunc(all, func(a, b seen) int { return a.start.Compare(b.start) })
	names := make(map[string]string)
	for _, s := range all {
		names[s.id] = s.name
	}
	var text strings.Builder
	var write func(indent string, below func(seen) bool)
	write = func(indent string, below func(seen) bool) {
		for _, s := range all {
			if !below(s) {
				continue
			}
			text.WriteString(indent + s.String())
			for _, l := range s.links {
				text.WriteString(" → " + names[l])
			}
			text.WriteString("\n")
			write(indent+"  ", func(c seen) bool { return c.parent == s.id && c.trace == s.trace })
		}
	}
	write("", func(s seen) bool { return names[s.parent] == "" })
	return text.String()
}

func (s seen) String() string {
	text := s.kind + " " + s.name
	if s.process != "" {
		text = s.process + ": " + text
	}
	if s.failed {
		text += " failed"
	}
	return text
}

// wantTree compares the spans since the last time.
func (s *spans) wantTree(t testing.TB, want string) []sdktrace.ReadOnlySpan {
	t.Helper()
	all := s.take(t)
	slices.SortStableFunc(all, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	wantTree(t, apply(all, seenOf), want)
	return all
}

func wantTree(t testing.TB, all []seen, want string) {
	t.Helper()
	if got := tree(all); got != strings.TrimLeft(want, "\n") {
		t.Errorf("the spans are\n%s\nwant\n%s", got, strings.TrimLeft(want, "\n"))
	}
}

func apply[A, B any](all []A, f func(A) B) []B {
	out := make([]B, len(all))
	for i, a := range all {
		out[i] = f(a)
	}
	return out
}
