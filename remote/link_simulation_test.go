package remote

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var seeds = flag.Uint64("seeds", 2000, "how many runs of the link simulation")

// pairSim runs the links of two processes against each other on a network that
// delays, reorders between streams, loses connections and refuses to connect.
type pairSim struct {
	t      *testing.T
	rand   *rand.Rand
	chaos  bool
	now    time.Time
	events []simEvent
	sides  [2]*simSide
	of     map[*conn]*simStream
	breaks int // connections that were up
}

type simEvent struct {
	at time.Time
	do func()
}

type simSide struct {
	link        *link
	incarnation uint64
	attempts    uint64
	dialing     *simStream
	up          *conn // adopted and not yet broken
}

// simStream is one stream; ends are what its two sides know it as.
type simStream struct {
	dialer  int
	attempt uint64
	ends    [2]*conn
	dead    bool
}

func newPairSim(t *testing.T, seed uint64) *pairSim {
	s := &pairSim{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), chaos: true,
		now: time.Unix(0, 0), of: make(map[*conn]*simStream),
	}
	for i := range s.sides {
		side := &simSide{incarnation: uint64(i) + 1}
		side.link = &link{
			lower: i == 0, backoff: backoff{min: 5 * time.Millisecond, max: 50 * time.Millisecond},
			number: func() uint64 { side.attempts++; return side.attempts },
		}
		s.sides[i] = side
	}
	return s
}

func (s *pairSim) later(most time.Duration, do func()) {
	s.events = append(s.events, simEvent{s.now.Add(time.Duration(s.rand.Int64N(int64(most)))), do})
}

// run handles the events of the next d, earliest first.
func (s *pairSim) run(d time.Duration) {
	until := s.now.Add(d)
	for {
		next := -1
		for i, e := range s.events {
			if !e.at.After(until) && (next < 0 || e.at.Before(s.events[next].at)) {
				next = i
			}
		}
		if next < 0 {
			s.now = until
			return
		}
		e := s.events[next]
		s.events = append(s.events[:next], s.events[next+1:]...)
		s.now = e.at
		e.do()
	}
}

func (s *pairSim) step(i int, ev event) {
	side := s.sides[i]
	for _, e := range side.link.step(s.now, ev) {
		switch e.kind {
		case effectDial:
			s.dial(i)
		case effectGreet:
			s.greet(i)
		case effectCancelDial:
			s.kill(side.dialing)
			side.dialing = nil
		case effectAdopt:
			s.adopt(i, e.conn)
		case effectRefuse:
			s.kill(s.of[e.conn])
		case effectHangUp:
			s.breaks++
			s.kill(s.of[e.conn])
			s.later(3*time.Millisecond, func() { s.broken(i, e.conn) })
		}
	}
}

func (s *pairSim) send(i int) {
	s.step(i, event{kind: eventSend})
}

// end makes the i-th side know the stream.
func (s *pairSim) end(stream *simStream, i int, incarnation, attempt uint64) *conn {
	c := &conn{incarnation: incarnation, attempt: attempt}
	stream.ends[i], s.of[c] = c, stream
	return c
}

func (s *pairSim) dial(i int) {
	side := s.sides[i]
	stream := &simStream{dialer: i, attempt: side.link.attempt}
	side.dialing = stream
	s.events = append(s.events, simEvent{s.now.Add(100 * time.Millisecond), func() { s.dialFailed(stream) }})
	if s.chaos && s.rand.IntN(4) == 0 {
		s.later(20*time.Millisecond, func() { s.dialFailed(stream) })
		return
	}
	s.later(5*time.Millisecond, func() {
		s.step(i, event{kind: eventGreet, attempt: stream.attempt})
	})
}

// greet lets the Hello of the attempt that is under way travel.
func (s *pairSim) greet(i int) {
	side := s.sides[i]
	stream := side.dialing
	s.later(10*time.Millisecond, func() {
		// A Hello may arrive although the stream was given up meanwhile.
		c := s.end(stream, 1-i, side.incarnation, stream.attempt)
		s.step(1-i, event{kind: eventHello, conn: c})
		if stream.dead {
			s.later(5*time.Millisecond, func() { s.gone(1-i, c) })
		}
	})
}

// dialFailed ends an attempt that is still under way.
func (s *pairSim) dialFailed(stream *simStream) {
	if side := s.sides[stream.dialer]; side.dialing == stream {
		side.dialing = nil
		s.kill(stream)
		s.step(stream.dialer, event{kind: eventDialFailed, attempt: stream.attempt})
	}
}

func (s *pairSim) adopt(i int, c *conn) {
	side, stream := s.sides[i], s.of[c]
	if side.up != nil {
		s.t.Fatalf("side %d takes a second connection", i)
	}
	side.up = c
	if stream.dialer == i {
		return
	}
	attempts := side.attempts
	s.later(10*time.Millisecond, func() {
		dialer := s.sides[stream.dialer]
		if dialer.dialing == stream {
			dialer.dialing = nil
			end := s.end(stream, stream.dialer, side.incarnation, attempts)
			s.step(stream.dialer, event{kind: eventDialed, attempt: stream.attempt, conn: end})
		}
	})
}

// kill ends a stream; each side learns of it in its own time.
func (s *pairSim) kill(stream *simStream) {
	if stream == nil || stream.dead {
		return
	}
	stream.dead = true
	s.later(10*time.Millisecond, func() { s.dialFailed(stream) })
	for i, c := range stream.ends {
		if c != nil {
			s.later(10*time.Millisecond, func() { s.gone(i, c) })
		}
	}
}

func (s *pairSim) gone(i int, c *conn) {
	s.step(i, event{kind: eventHelloGone, conn: c})
	s.step(i, event{kind: eventLost, conn: c})
}

func (s *pairSim) broken(i int, c *conn) {
	if s.sides[i].up != c {
		s.t.Fatalf("side %d: a connection broke twice, or was never up", i)
	}
	s.sides[i].up = nil
	s.step(i, event{kind: eventBroken, conn: c})
}

// connected returns the stream on which both sides are, or nil.
func (s *pairSim) connected() *simStream {
	a, b := s.sides[0], s.sides[1]
	if a.up == nil || b.up == nil || a.link.phase != phaseUp || b.link.phase != phaseUp || s.of[a.up] != s.of[b.up] {
		return nil
	}
	return s.of[a.up]
}

func TestLinksAgreeOnOneConnection(t *testing.T) {
	for seed := range *seeds {
		s := newPairSim(t, seed)
		for range 200 {
			s.run(time.Duration(s.rand.Int64N(int64(8 * time.Millisecond))))
			switch i := s.rand.IntN(2); s.rand.IntN(6) {
			case 0:
				if c := s.sides[i].up; c != nil {
					s.kill(s.of[c])
				}
			case 1:
				s.send(0)
				s.send(1)
			default:
				s.send(i)
			}
		}
		s.chaos = false
		for range 40 {
			s.run(20 * time.Millisecond)
			s.send(0)
			s.send(1)
		}
		settled := s.connected()
		if settled == nil || settled.dead {
			t.Fatalf("seed %d: not connected after the chaos: %s and %s", seed, s.sides[0].link.phase, s.sides[1].link.phase)
		}
		s.run(time.Second)
		s.send(0)
		s.send(1)
		if s.connected() != settled {
			t.Fatalf("seed %d: the connection does not last", seed)
		}
	}
}

func TestLinksThatDialAtOnceKeepTheirFirstConnection(t *testing.T) {
	for seed := range *seeds {
		s := newPairSim(t, seed)
		s.chaos = false
		for range 10 {
			s.run(time.Duration(s.rand.Int64N(int64(3 * time.Millisecond))))
			s.send(s.rand.IntN(2))
			s.send(s.rand.IntN(2))
		}
		s.run(time.Second)
		if s.connected() == nil || s.breaks > 0 {
			t.Fatalf("seed %d: %s and %s, %d connections broke", seed, s.sides[0].link.phase, s.sides[1].link.phase, s.breaks)
		}
	}
}
