package automanaged

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/granary-go/granary/internal/view"
)

// maxNotes is how many lines wait for the application's logger. Further ones
// are left out, and counted.
const maxNotes = 256

// journal hands lines to the application's logger from a goroutine of its own:
// a handler that is slow must hold up neither pings nor their answers.
type journal struct {
	logger *slog.Logger
	notes  chan view.Note
	missed atomic.Int64 // lines left out since the last one
}

func newJournal(logger *slog.Logger) *journal {
	return &journal{logger: logger, notes: make(chan view.Note, maxNotes)}
}

// add never waits.
func (j *journal) add(n view.Note) {
	select {
	case j.notes <- n:
	default:
		j.missed.Add(1)
	}
}

// run logs until the context is done, and then what is there.
func (j *journal) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case n := <-j.notes:
			j.log(ctx, n)
		case <-ctx.Done():
		}
	}
	for len(j.notes) > 0 {
		j.log(ctx, <-j.notes)
	}
}

func (j *journal) log(ctx context.Context, n view.Note) {
	level := slog.LevelInfo
	if n.Warn {
		level = slog.LevelWarn
	}
	j.logger.Log(ctx, level, "automanaged: "+n.Text, n.Args...)
	if missed := j.missed.Swap(0); missed > 0 {
		j.logger.Log(ctx, slog.LevelWarn, "automanaged: the logger did not keep up; lines were left out", "omitted", missed)
	}
}
