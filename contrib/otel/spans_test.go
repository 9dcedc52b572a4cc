package granaryotel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
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

// tree writes spans, the earliest first, each below its parent. A root that belongs
// to another trace than the first is marked.
func tree(all []sdktrace.ReadOnlySpan) string {
	slices.SortStableFunc(all, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	known := make(map[trace.SpanID]bool)
	for _, s := range all {
		known[s.SpanContext().SpanID()] = true
	}
	var text strings.Builder
	var write func(indent string, parent func(sdktrace.ReadOnlySpan) bool)
	write = func(indent string, below func(sdktrace.ReadOnlySpan) bool) {
		for _, s := range all {
			if !below(s) {
				continue
			}
			fmt.Fprintf(&text, "%s%s %s", indent, s.SpanKind(), s.Name())
			if s.Status().Code == codes.Error {
				text.WriteString(" failed")
			}
			for _, l := range s.Links() {
				for _, to := range all {
					if to.SpanContext().SpanID() == l.SpanContext.SpanID() {
						fmt.Fprintf(&text, " → %s", to.Name())
					}
				}
			}
			text.WriteString("\n")
			id := s.SpanContext().SpanID()
			write(indent+"  ", func(c sdktrace.ReadOnlySpan) bool { return c.Parent().SpanID() == id })
		}
	}
	write("", func(s sdktrace.ReadOnlySpan) bool { return !known[s.Parent().SpanID()] })
	return text.String()
}

// wantTree compares the spans since the last time.
func (s *spans) wantTree(t testing.TB, want string) []sdktrace.ReadOnlySpan {
	t.Helper()
	all := s.take(t)
	if got := tree(all); got != strings.TrimLeft(want, "\n") {
		t.Errorf("the spans are\n%s\nwant\n%s", got, strings.TrimLeft(want, "\n"))
	}
	return all
}
