package automanaged

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/internal/view"
)

// stuck is a log handler that blocks until it is released.
type stuck struct {
	*logbook
	released chan struct{}
}

func (s *stuck) Handle(ctx context.Context, r slog.Record) error {
	<-s.released
	return s.logbook.Handle(ctx, r)
}

func TestStuckLoggerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		a, b, c := s.member("a"), s.member("b"), s.member("c")
		handler := &stuck{logbook: a.logs, released: make(chan struct{})}
		a.request.Logger = slog.New(handler)
		a.open()
		a.holds(a) // it has logged that it made a view
		b.open()
		c.open()
		allHold(t, a, b, c)
		c.crash()
		allHold(t, a, b)
		time.Sleep(time.Minute)
		allHold(t, a, b)
		if a.logs.count("") != 0 {
			t.Errorf("logged all the same: %s", a.logs)
		}
		close(handler.released)
		synctest.Wait()
		if a.logs.count("automanaged: made a view") < 3 || a.logs.count("goes out of the view") != 1 {
			t.Errorf("afterwards the log is %s", a.logs)
		}
	})
}

func TestJournalCountsWhatItLeavesOut(t *testing.T) {
	logs := new(logbook)
	j := newJournal(slog.New(logs))
	for range maxNotes + 7 {
		j.add(view.Note{Text: "x"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j.run(ctx)
	if logs.count("automanaged: x") != maxNotes || !strings.Contains(logs.String(), "left out omitted=7") {
		t.Error(logs)
	}
}
