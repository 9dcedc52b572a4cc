package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/lease"
	"github.com/granary-go/granary/internal/record"
)

// follower is the goroutine that reads and writes the record.
type follower struct {
	*session
	machine *record.Machine
	read    driver.Record // as it was read last
	write   *record.Write // wanted by the machine
	retry   backoff
	deaf    backoff // of Wait
	idle    int     // reads in a row that showed nothing new
	// unwritten is set while writes fail though reads succeed.
	unwritten bool
	done      bool   // nothing is to be read any more, unless the member leaves
	cleaned   bool   // the liveness key needs no deleting any more
	strange   string // what was logged of liveness keys
}

// run reads the record whenever it may have changed, until the session ends.
func (f *follower) run() {
	for f.ctx.Err() == nil {
		f.takeEvents()
		if f.write == nil && !f.done && !f.readOnce() {
			continue
		}
		if f.write != nil {
			f.writeOnce() // and then read
			continue
		}
		f.wait()
	}
}

// now is the machine's time.
func (f *follower) now() record.Time { return record.Time(time.Since(f.begun)) }

func (f *follower) takeEvents() {
	f.mu.Lock()
	events := f.events
	f.events, f.awake = nil, false
	f.mu.Unlock()
	for _, e := range events {
		if _, leaves := e.(record.Leave); leaves {
			f.done = false // it may have to remove itself
		}
		f.step(e)
	}
}

func (f *follower) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(f.ctx, f.config.timeout)
}

// readOnce tells the machine what the store holds; false after an error.
func (f *follower) readOnce() bool {
	ctx, cancel := f.call()
	defer cancel()
	read, err := f.store.Read(ctx)
	if err != nil {
		f.failed("reading the view record", err)
		return false
	}
	if same(read, f.read) {
		f.idle++
	} else {
		f.idle = 0
	}
	f.read = read
	event := record.Read{Found: read.Data != nil, Unix: uint64(max(f.config.wall().UnixMilli(), 1))}
	if event.Found {
		if event.Record, err = decodeRecord(read.Data); err != nil {
			event.Broken = err.Error()
		}
	}
	var why error
	event.Alive, event.About, why = alive(read.Alive)
	if f.strange != text(why) {
		f.strange = text(why)
		f.logger.Warn("record: a liveness key cannot be read; its member is taken for alive and not taken in", "error", why)
	}
	f.step(event)
	if f.write == nil {
		f.unwritten = false // somebody else did it
	}
	if !f.unwritten {
		f.retry.reset()
		f.board.troubled(nil)
	}
	return true
}

// writeOnce writes what the machine wants. What became of it the next read
// will tell.
func (f *follower) writeOnce() {
	data, err := encodeRecord(f.write.Record)
	f.write = nil
	if err == nil {
		ctx, cancel := f.call()
		err = f.store.Write(ctx, f.read, data)
		cancel()
	}
	switch {
	case err == nil, errors.Is(err, driver.ErrConflict):
		f.unwritten = false
		if f.idle > patient {
			pause(f.ctx, firstRetry) // what is read is none of what is written
		}
	default:
		f.unwritten = true
		f.failed("writing the view record", err)
	}
}

// failed shows an error of the store and pauses.
func (f *follower) failed(what string, err error) {
	if f.ctx.Err() != nil {
		return
	}
	f.board.troubled(fmt.Errorf("record: %s: %w", what, err))
	pause(f.ctx, f.retry.next())
}

// wait returns when there may be something new: in the store, in the machine,
// or by an event. It takes at most a lease time, in case the store's watch is
// dead and does not know.
func (f *follower) wait() {
	limit := f.config.ttl
	if wake, wanted := f.machine.Wake(); wanted {
		limit = min(limit, time.Duration(wake-f.now()))
	}
	ctx, cancel := context.WithTimeout(f.ctx, limit)
	defer cancel()
	f.mu.Lock()
	if f.awake {
		f.mu.Unlock()
		return
	}
	f.waiting = cancel
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.waiting = nil
		f.mu.Unlock()
	}()
	if f.done {
		<-ctx.Done()
		return
	}
	err := f.store.Wait(ctx, f.read)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		pause(ctx, f.deaf.next())
		return
	case f.idle > patient:
		pause(ctx, firstRetry)
	}
	f.deaf.reset()
}

// patient is how many reads in a row may show nothing new until a pause is made
// after each call.
const patient = 3

// same reports whether two reads are of one record and the same members.
func same(a, b driver.Record) bool {
	return bytes.Equal(a.Data, b.Data) && maps.EqualFunc(a.Alive, b.Alive, bytes.Equal)
}

// step feeds the machine and does what it wants done.
func (f *follower) step(e record.Event) {
	for _, effect := range f.machine.Step(f.now(), e) {
		switch effect := effect.(type) {
		case record.Write:
			f.write = &effect
		case record.Publish:
			f.board.post(func(p *posted) { p.view, p.held = effect.View, nil })
		case record.Held:
			f.hold(effect.Why)
		case record.Removed:
			f.removed(effect)
		case record.Refused:
			f.end()
			f.cleanUp()
			f.over(fmt.Errorf("%w: %s", driver.ErrRefused, effect.Why))
		case record.Left:
			f.end()
			f.cleanUp()
			f.board.post(func(p *posted) { p.left = true })
		case record.Note:
			level := slog.LevelInfo
			if effect.Warn {
				level = slog.LevelWarn
			}
			f.logger.Log(f.ctx, level, "record: "+effect.Text, effect.Args...)
		}
	}
}

func (f *follower) hold(why string) {
	f.board.post(func(p *posted) {
		p.held, p.tell = nil, nil
		if why != "" {
			p.held = fmt.Errorf("record: not taken into the view: %s", why)
			p.tell = p.held
		}
	})
}

// removed ends the lease before anybody is told.
func (f *follower) removed(e record.Removed) {
	f.end()
	if e.Outside {
		f.cleanUp()
	}
	f.over(fmt.Errorf("%w: %s", driver.ErrRemoved, e.Why))
}

func (f *follower) over(err error) {
	f.board.post(func(p *posted) { p.over = err })
}

// end fences the lease and ends its renewals; nothing more is read.
func (f *follower) end() {
	f.done = true
	if f.lease != nil {
		f.renew()
		f.lease.step(lease.Lost{})
	}
}

// cleanUp deletes the liveness key of a member that the record does not hold.
// If that fails the key ends with its lease.
func (f *follower) cleanUp() {
	if f.lease == nil || f.cleaned {
		return
	}
	f.cleaned = true
	if err := f.unregister(); err != nil && f.ctx.Err() == nil {
		f.logger.Warn("record: the liveness key is left to its lease", "member", f.request.Member.ID, "error", err)
	}
}
