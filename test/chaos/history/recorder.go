package history

import (
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Recorder writes what one process does. Its methods are safe for several goroutines. One that cannot write panics: a run
// whose record has holes proves nothing, and ends.
type Recorder struct {
	file   *os.File
	by     string
	offset time.Duration
	lastID atomic.Uint64
}

// Option is an option of [Open].
type Option func(*Recorder) error

// WithOffset says by how much this process's CLOCK_MONOTONIC is ahead of that of the others. By default it is [Offset].
func WithOffset(d time.Duration) Option {
	return func(r *Recorder) error { r.offset = d; return nil }
}

// Open opens a file to record in, behind what is there, and makes it if it is not there. Several processes may share one, each
// with a Recorder of its own. Who names the process and is used once in a run: by convention the member or client, a dot, and
// which of its lives it is ("m3.2"). The caller closes the Recorder.
func Open(path, who string, options ...Option) (*Recorder, error) {
	if who == "" {
		return nil, fmt.Errorf("history: give a name to the process that records in %s", path)
	}
	r := &Recorder{by: who}
	if len(options) == 0 {
		offset, err := Offset()
		if err != nil {
			return nil, err
		}
		r.offset = offset
	}
	for _, set := range options {
		if err := set(r); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	r.file = f
	r.write(line{Opened: &opened{Pid: os.Getpid(), At: r.Now()}})
	return r, nil
}

// Close says that the process ends as it is meant to, and closes the file. Nothing may be recorded afterwards.
func (r *Recorder) Close() error {
	at := r.Now()
	r.write(line{Closed: &at})
	return r.file.Close()
}

// Now is the moment, by the clock that all processes share.
func (r *Recorder) Now() time.Duration { return now() - r.offset }

// write writes a line in one write(2).
func (r *Recorder) write(l line) {
	l.By = r.by
	if err := l.check(); err != nil {
		panic(fmt.Sprintf("history: %s: cannot record this: %v", r.by, err))
	}
	text, err := json.Marshal(&l)
	if err != nil {
		panic(fmt.Sprintf("history: %s: cannot record this: %v", r.by, err))
	}
	if _, err := r.file.Write(append(text, '\n')); err != nil {
		panic(fmt.Sprintf("history: %s: %v", r.by, err))
	}
}

// A Call is an operation under way.
type Call struct {
	r  *Recorder
	id uint64
}

// Begin records that an operation begins, and sets its Start. The caller makes the call when Begin has returned.
func (r *Recorder) Begin(op Operation) *Call {
	c := &Call{r, r.lastID.Add(1)}
	op.Start = r.Now()
	r.write(line{ID: c.id, Begin: &op})
	return c
}

// OK records that the operation was answered, and by which activation: the zero token if the answer does not say.
func (c *Call) OK(result string, token Token) {
	c.end(ended{Outcome: OK, Result: result, Token: token})
}

// Refused records that the operation certainly did not run, and will not.
func (c *Call) Refused(err error) { c.end(ended{Outcome: Refused, Error: err.Error()}) }

// Unknown records that nobody knows whether the operation ran or will run.
func (c *Call) Unknown(err error) { c.end(ended{Outcome: Unknown, Error: err.Error()}) }

func (c *Call) end(e ended) {
	e.At = c.r.Now()
	c.r.write(line{ID: c.id, End: &e})
}

// A Span is a turn, an activation or a fault that goes on.
type Span struct {
	r  *Recorder
	id uint64
}

// End records that it is over.
func (s *Span) End() {
	at := s.r.Now()
	s.r.write(line{ID: s.id, Over: &at})
}

func (r *Recorder) span(l line) *Span {
	l.ID = r.lastID.Add(1)
	r.write(l)
	return &Span{r, l.ID}
}

// Turn records that a handler begins its turn, and sets Begin. It is the first thing that the handler does, and End the last.
func (r *Recorder) Turn(t Turn) *Span {
	t.Begin = r.Now()
	return r.span(line{Turn: &t})
}

// Activation records that a grain has started, and sets Started.
func (r *Recorder) Activation(a Activation) *Span {
	a.Started = r.Now()
	return r.span(line{Activation: &a})
}

// Fault records that a fault begins, and sets Begin. The nemesis calls it before it does anything, and End when all is mended.
func (r *Recorder) Fault(f Fault) *Span {
	f.Begin = r.Now()
	return r.span(line{Fault: &f})
}

// Killed records that a process is gone that did not end by itself: after it was waited for.
func (r *Recorder) Killed(process string) {
	r.write(line{Killed: &killed{Process: process, At: r.Now()}})
}

// Plan records what the run is.
func (r *Recorder) Plan(p Plan) { r.write(line{Plan: &p}) }

// Message records what happened to a message, and sets At. Sent is recorded before the message is sent.
func (r *Recorder) Message(m Message) {
	m.At = r.Now()
	r.write(line{Message: &m})
}

// Gauge records what a process holds, and sets At.
func (r *Recorder) Gauge(g Gauge) {
	g.At = r.Now()
	r.write(line{Gauge: &g})
}

// Audit records a counter that must be zero, and sets At.
func (r *Recorder) Audit(a Audit) {
	a.At = r.Now()
	r.write(line{Audit: &a})
}

// Account records what an account holds when all is over, and sets At.
func (r *Recorder) Account(a Account) {
	a.At = r.Now()
	r.write(line{Account: &a})
}
