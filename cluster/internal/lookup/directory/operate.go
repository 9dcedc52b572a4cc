package directory

import (
	"context"
	"errors"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	machine "github.com/granary-go/granary/internal/directory"
)

// restoreBatch bounds the entries that are written back at once, and sweepPage
// those that are listed at once.
const (
	restoreBatch = 500
	sweepPage    = 500
)

// operate carries out an effect in the store, beside the actor, which hears how
// it ended.
func (l *Lookup) operate(effect machine.Effect) {
	switch e := effect.(type) {
	case machine.Claim:
		l.job(func(ctx context.Context) machine.Event {
			entry, err := l.cfg.Store.Claim(ctx, e.Entry, e.Over)
			ended := machine.ClaimEnded{Attempt: e.Attempt, Identity: e.Entry.Identity, Result: l.result(err), Entry: entry}
			if ended.Result == machine.Failed {
				ended.Why = err.Error()
			}
			return ended
		})
	case machine.Release:
		l.job(func(ctx context.Context) machine.Event {
			err := l.cfg.Store.Release(ctx, e.Identity, e.Token)
			return machine.ReleaseEnded{Identity: e.Identity, Token: e.Token, Result: l.result(err)}
		})
	case machine.Restore:
		l.pool.submit(func() { l.tell(storeEvent{l.restore(e.Entries)}) })
	case machine.Remove:
		l.job(func(ctx context.Context) machine.Event {
			l.result(l.cfg.Store.Remove(ctx, e.Member)) // what is left is void
			return nil
		})
	case machine.ReadEra:
		l.job(func(ctx context.Context) machine.Event {
			record, err := l.cfg.Store.ReadEra(ctx)
			return machine.EraRead{Result: l.result(err), Record: record, UnixMilli: uint64(max(time.Now().UnixMilli(), 0))}
		})
	case machine.WriteEra:
		l.job(func(ctx context.Context) machine.Event {
			return machine.EraWritten{Result: l.result(l.cfg.Store.WriteEra(ctx, e.Since, e.Next))}
		})
	}
}

// job runs one operation, within its time.
func (l *Lookup) job(run func(context.Context) machine.Event) {
	l.pool.submit(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.cfg.Timeout)
		defer cancel()
		if ended := run(ctx); ended != nil {
			l.tell(storeEvent{ended})
		}
	})
}

// result tells the machine about an error, and the log when the store goes and
// comes back.
func (l *Lookup) result(err error) machine.Result {
	switch {
	case err == nil:
		l.answers(nil)
		return machine.Done
	case errors.Is(err, driver.ErrClaimed):
		return machine.Claimed
	case errors.Is(err, driver.ErrEra):
		return machine.WrongEra
	}
	l.answers(err)
	return machine.Failed
}

func (l *Lookup) answers(err error) {
	if l.ctx.Err() != nil || l.down.Swap(err != nil) == (err != nil) {
		return
	}
	if err != nil {
		l.cfg.Logger.Warn("directory: the store of the identity lookup does not answer; grains that are cached or run go on", "error", err)
		return
	}
	l.cfg.Logger.Info("directory: the store of the identity lookup answers again")
}

// restore writes entries back, some at a time.
func (l *Lookup) restore(entries []driver.Entry) machine.RestoreEnded {
	var ended machine.RestoreEnded
	for len(entries) > 0 {
		n := min(len(entries), restoreBatch)
		ctx, cancel := context.WithTimeout(l.ctx, l.cfg.Timeout)
		kept, err := l.cfg.Store.Restore(ctx, entries[:n])
		cancel()
		ended.Kept = append(ended.Kept, kept...)
		if ended.Result = l.result(err); ended.Result != machine.Done {
			return ended
		}
		entries = entries[n:]
	}
	return ended
}

// sweep removes the entries of members that went while nobody was there to do
// it. Each page is a job of its own.
func (l *Lookup) sweep(view driver.View, era driver.EraID) {
	var page func(cursor string)
	page = func(cursor string) {
		l.job(func(ctx context.Context) machine.Event {
			entries, next, err := l.cfg.Store.List(ctx, cursor, sweepPage)
			if l.result(err) != machine.Done {
				return nil // they are void, and claimed over when they are met
			}
			for _, e := range entries {
				if machine.Judge(view, e, era.Number) == machine.Void {
					l.result(l.cfg.Store.Release(ctx, e.Identity, e.Token))
				}
			}
			if next != "" && l.ctx.Err() == nil {
				page(next)
			}
			return nil
		})
	}
	page("")
}

// read reads an entry when its turn has come.
func (l *Lookup) read(ctx context.Context, id driver.Identity) (driver.Entry, error) {
	type answer struct {
		entry driver.Entry
		err   error
	}
	done := make(chan answer, 1)
	l.pool.submit(func() {
		if ctx.Err() != nil {
			done <- answer{err: ctx.Err()} // nobody waits any more
			return
		}
		ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
		defer cancel()
		e, err := l.cfg.Store.Read(ctx, id)
		l.result(err)
		done <- answer{e, err}
	})
	select {
	case said := <-done:
		return said.entry, said.err
	case <-ctx.Done():
		return driver.Entry{}, ctx.Err()
	}
}
