package network

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

var errDeadline = os.ErrDeadlineExceeded

const (
	pieceSize     = 16 << 10
	retransmit    = 200 * time.Millisecond // as TCP waits, at least, before it sends again
	lossesToReset = 20
)

// A piece is some bytes of a connection's direction, or its end.
type piece struct {
	bytes []byte
	end   error // io.EOF when the sender has closed its half
	schedule
}

// A schedule is when a piece is to arrive.
type schedule struct {
	due   time.Time
	reset bool // it does not, and its connection ends
}

// schedule tells when a piece of so many bytes is to arrive that is sent now.
func (l *link) schedule(size int) schedule {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.rule == (Link{}) {
		return schedule{due: now}
	}
	turn := now
	if l.free.After(now) {
		turn = l.free
	}
	l.free = turn.Add(l.transmission(size))
	s := schedule{due: l.free.Add(l.latency())}
	if l.happens(l.rule.Loss) {
		l.counts.Lost++
		s.due = s.due.Add(retransmit)
		s.reset = l.chance.IntN(lossesToReset) == 0
	}
	if l.happens(l.rule.Reorder) {
		s.due = s.due.Add(l.held())
	}
	return s
}

// await waits until a piece may pass: it is due, or has nothing to wait for any more, and the link is not blocked.
func (l *link) await(ctx context.Context, s schedule) error {
	blocked, delayed := false, false
	for {
		l.mu.Lock()
		rule, changed := l.rule, l.changed
		wait := time.Until(s.due)
		hold := !rule.Blocked && rule != (Link{}) && wait > 0
		if rule.Blocked && !blocked {
			blocked = true
			l.counts.Blocked++
		}
		if hold && !delayed {
			delayed = true
			l.counts.Delayed++
		}
		l.mu.Unlock()
		if !rule.Blocked && !hold {
			return ctx.Err()
		}
		if err := pause(ctx, changed, wait, hold); err != nil {
			return err
		}
	}
}

// pause waits until something has changed or, if it is timed, the time is over.
func pause(ctx context.Context, changed <-chan struct{}, wait time.Duration, timed bool) error {
	var over <-chan time.Time
	if timed {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (l *link) passed(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Passed++
	l.counts.Bytes += uint64(size)
}

func (l *link) countReset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Reset++
}

// A pair is two connections that stand for one between hosts.
type pair struct {
	near, far *net.TCPConn
	queue     int
	ctx       context.Context // ends with the connection
	cancel    context.CancelFunc
}

func newPair(ctx context.Context, near, far *net.TCPConn, queue int) *pair {
	p := &pair{near: near, far: far, queue: queue}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// abort ends both connections so that both ends see an error.
func (p *pair) abort() {
	reset(p.near)
	reset(p.far)
	p.cancel()
}

// run passes on what is sent in both directions until both have ended.
func (p *pair) run(there, back *link) {
	defer p.cancel()
	stop := context.AfterFunc(p.ctx, p.abort)
	defer stop()
	var running sync.WaitGroup
	pass := func(from, to *net.TCPConn, link, opposite *link) {
		pieces := make(chan piece, p.queue)
		running.Go(func() { p.read(from, link, pieces) })
		running.Go(func() { p.write(to, link, opposite, pieces) })
	}
	pass(p.near, p.far, there, back)
	pass(p.far, p.near, back, there)
	running.Wait()
}

// read takes in what is sent, up to its end, while there is room.
func (p *pair) read(from io.Reader, l *link, pieces chan<- piece) {
	defer close(pieces)
	buffer := make([]byte, pieceSize)
	for {
		size, err := from.Read(buffer)
		next := piece{bytes: append([]byte(nil), buffer[:size]...), end: err, schedule: l.schedule(size)}
		select {
		case pieces <- next:
		case <-p.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// write passes pieces on when they may pass. What has gone wrong at one end is heard of at the other when the link to it
// lets that pass.
func (p *pair) write(to *net.TCPConn, l, opposite *link, pieces <-chan piece) {
	for next := range pieces {
		if l.await(p.ctx, next.schedule) != nil {
			return
		}
		if next.reset {
			l.countReset()
			p.abort()
			return
		}
		if len(next.bytes) > 0 {
			l.passed(len(next.bytes)) // before anybody can see that it has
		}
		_, err := to.Write(next.bytes)
		if err == nil && errors.Is(next.end, io.EOF) {
			err = to.CloseWrite()
		}
		switch {
		case err != nil:
			_ = opposite.await(p.ctx, opposite.schedule(0))
			p.abort()
			return
		case next.end != nil && !errors.Is(next.end, io.EOF):
			p.abort()
			return
		}
	}
}
