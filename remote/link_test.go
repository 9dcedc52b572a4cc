package remote

import (
	"strings"
	"testing"
	"time"
)

// linkScript drives one link and compares what it does, written down as in
// "dial, adopt c1, refuse c2 stale".
type linkScript struct {
	t     *testing.T
	link  *link
	now   time.Time
	conns map[string]*conn
	next  uint64 // the number of the next attempt
}

func newLinkScript(t *testing.T, lower bool) *linkScript {
	s := &linkScript{
		t: t, now: time.Unix(0, 0), conns: make(map[string]*conn),
		link: &link{lower: lower, backoff: backoff{min: 10 * time.Millisecond, max: time.Second}},
	}
	s.link.number = func() uint64 { return s.next }
	return s
}

// conn returns the connection of that name, which is of the given incarnation
// and attempt of the peer.
func (s *linkScript) conn(name string, incarnation, attempt uint64) *conn {
	c := s.conns[name]
	if c == nil {
		c = &conn{incarnation: incarnation, attempt: attempt}
		s.conns[name] = c
	}
	return c
}

func (s *linkScript) step(ev event, want string) {
	s.t.Helper()
	if got := s.describe(s.link.step(s.now, ev)); got != want {
		s.t.Fatalf("event %d: got %q, want %q", ev.kind, got, want)
	}
}

func (s *linkScript) in(p phase) {
	s.t.Helper()
	if s.link.phase != p {
		s.t.Fatalf("the link is %s, want %s", s.link.phase, p)
	}
}

func (s *linkScript) describe(effects []effect) string {
	names := map[*conn]string{}
	for name, c := range s.conns {
		names[c] = name
	}
	var all []string
	for _, e := range effects {
		verb := [...]string{"dial", "greet", "cancel", "adopt", "refuse", "hang up", "drop", "rest"}[e.kind]
		if e.conn != nil {
			verb += " " + names[e.conn]
		}
		if e.kind == effectRefuse {
			verb += " " + strings.ToLower(strings.TrimPrefix(e.reason.String(), "REASON_"))
		}
		all = append(all, verb)
	}
	return strings.Join(all, ", ")
}

func (s *linkScript) send(attempt uint64, want string) {
	s.t.Helper()
	s.next = attempt
	s.step(event{kind: eventSend}, want)
}

// dial sends a message, which dials, and the Hello of that attempt.
func (s *linkScript) dial(attempt uint64) {
	s.t.Helper()
	s.send(attempt, "dial")
	s.step(event{kind: eventGreet, attempt: attempt}, "greet")
}

func (s *linkScript) hello(c *conn, want string) {
	s.t.Helper()
	s.step(event{kind: eventHello, conn: c}, want)
}

func TestLinkDialsAndBacksOff(t *testing.T) {
	s := newLinkScript(t, true)
	s.send(1, "dial")
	s.send(2, "")
	s.step(event{kind: eventDialFailed, attempt: 1}, "drop, rest")
	s.in(phaseDown)
	s.send(3, "")
	if s.link.accepts() {
		t.Error("accepts messages while down")
	}
	s.now = s.now.Add(10 * time.Millisecond)
	s.send(4, "dial")
	s.step(event{kind: eventDialFailed, attempt: 1}, "") // of an older attempt
	s.step(event{kind: eventDialed, attempt: 4, conn: s.conn("c", 7, 0)}, "adopt c")
	s.in(phaseUp)
}

func TestLinkForgetsFailuresWhenAConnectionHeld(t *testing.T) {
	s := newLinkScript(t, true)
	for i := range uint64(5) {
		s.send(i+1, "dial")
		s.step(event{kind: eventDialFailed, attempt: i + 1}, "drop, rest")
		s.now = s.link.retryAt
	}
	c := s.conn("c", 7, 1)
	s.hello(c, "adopt c")
	s.now = s.now.Add(time.Second)
	s.step(event{kind: eventLost, conn: c}, "hang up c")
	s.step(event{kind: eventLost, conn: c}, "")
	s.in(phaseBreaking)
	s.step(event{kind: eventBroken, conn: c}, "rest")
	s.in(phaseIdle)
	s.send(9, "dial")
	s.step(event{kind: eventDialFailed, attempt: 9}, "drop, rest")
	if pause := s.link.retryAt.Sub(s.now); pause > 10*time.Millisecond {
		t.Errorf("the pause after the first failure is %v", pause)
	}
}

func TestLinkThatBreaksAtOncePauses(t *testing.T) {
	s := newLinkScript(t, true)
	c := s.conn("c", 7, 1)
	s.hello(c, "adopt c")
	s.step(event{kind: eventLost, conn: c}, "hang up c")
	s.step(event{kind: eventBroken, conn: c}, "rest")
	s.in(phaseDown)
}

func TestLinkTieHigherTakesTheOthers(t *testing.T) {
	s := newLinkScript(t, false)
	s.dial(1)
	s.hello(s.conn("theirs", 7, 1), "cancel, adopt theirs")
	s.step(event{kind: eventDialed, attempt: 1, conn: s.conn("ours", 7, 1)}, "refuse ours stale")
	s.in(phaseUp)
}

func TestLinkTieLowerHoldsTheOthers(t *testing.T) {
	s := newLinkScript(t, true)
	s.dial(1)
	s.hello(s.conn("theirs", 7, 1), "")
	s.step(event{kind: eventDialed, attempt: 1, conn: s.conn("ours", 7, 1)}, "adopt ours, refuse theirs stale")
	s.hello(s.conn("late", 7, 1), "refuse late stale") // given up by the peer, but slow to arrive
	s.in(phaseUp)
}

func TestLinkTieLowerWasSlower(t *testing.T) {
	s := newLinkScript(t, true)
	s.send(1, "dial")
	s.hello(s.conn("theirs", 7, 1), "cancel, adopt theirs")
	s.step(event{kind: eventGreet, attempt: 1}, "")
}

func TestLinkThatOnlyTheOtherCanDial(t *testing.T) {
	s := newLinkScript(t, true)
	s.dial(1)
	s.hello(s.conn("theirs", 7, 1), "")
	s.step(event{kind: eventDialFailed, attempt: 1}, "adopt theirs")
}

func TestLinkHeldHelloGivenUp(t *testing.T) {
	s := newLinkScript(t, true)
	s.dial(1)
	theirs := s.conn("theirs", 7, 1)
	s.hello(theirs, "")
	s.step(event{kind: eventHelloGone, conn: theirs}, "")
	s.step(event{kind: eventDialFailed, attempt: 1}, "drop, rest")
}

func TestLinkNewerHelloWhileHolding(t *testing.T) {
	s := newLinkScript(t, true)
	s.dial(1)
	s.hello(s.conn("first", 7, 1), "")
	s.hello(s.conn("second", 7, 2), "refuse first stale")
	s.hello(s.conn("again", 7, 1), "refuse again stale")
	s.step(event{kind: eventDialed, attempt: 1, conn: s.conn("ours", 7, 1)}, "adopt ours, hang up ours")
	s.step(event{kind: eventBroken, conn: s.conns["ours"]}, "adopt second")
}

func TestLinkReplacedByANewerConnection(t *testing.T) {
	s := newLinkScript(t, true)
	old, next := s.conn("old", 7, 1), s.conn("next", 7, 2)
	s.hello(old, "adopt old")
	s.hello(next, "hang up old")
	s.in(phaseBreaking)
	s.send(1, "")
	s.hello(s.conn("third", 7, 3), "refuse next stale")
	s.step(event{kind: eventBroken, conn: old}, "adopt third")
}

func TestLinkOldProcessAtAnAddressTakenByANewOne(t *testing.T) {
	s := newLinkScript(t, true)
	s.hello(s.conn("old", 7, 5), "adopt old")
	s.hello(s.conn("new", 8, 1), "hang up old")
	s.step(event{kind: eventBroken, conn: s.conns["old"]}, "adopt new")
	s.hello(s.conn("old again", 7, 6), "refuse old again superseded")
	// But if it is the one we reach at that address, it is the one.
	s.step(event{kind: eventLost, conn: s.conns["new"]}, "hang up new")
	s.step(event{kind: eventBroken, conn: s.conns["new"]}, "rest")
	s.now = s.now.Add(time.Second)
	s.send(1, "dial")
	s.step(event{kind: eventDialed, attempt: 1, conn: s.conn("dialed", 7, 6)}, "adopt dialed")
	s.hello(s.conn("newest", 7, 7), "hang up dialed")
}

func TestLinkLeaves(t *testing.T) {
	t.Run("up", func(t *testing.T) {
		s := newLinkScript(t, true)
		c := s.conn("c", 7, 1)
		s.hello(c, "adopt c")
		s.step(event{kind: eventLeave}, "")
		s.hello(s.conn("d", 7, 2), "refuse d shutting_down")
		if !s.link.accepts() {
			t.Error("refuses answers before the peer has said goodbye")
		}
		s.step(event{kind: eventParting, conn: c}, "")
		if s.link.accepts() {
			t.Error("accepts messages after the peer's goodbye")
		}
		s.step(event{kind: eventLost, conn: c}, "hang up c")
		s.step(event{kind: eventBroken, conn: c}, "rest")
		s.in(phaseClosed)
	})
	t.Run("dialing", func(t *testing.T) {
		s := newLinkScript(t, true)
		s.send(1, "dial")
		s.step(event{kind: eventLeave}, "")
		s.step(event{kind: eventDialFailed, attempt: 1}, "drop, rest")
		s.in(phaseClosed)
	})
	t.Run("replacing", func(t *testing.T) {
		s := newLinkScript(t, true)
		s.hello(s.conn("c", 7, 1), "adopt c")
		s.hello(s.conn("d", 7, 2), "hang up c")
		s.step(event{kind: eventLeave}, "refuse d shutting_down")
		s.step(event{kind: eventBroken, conn: s.conns["c"]}, "rest")
		s.in(phaseClosed)
	})
	t.Run("down", func(t *testing.T) {
		s := newLinkScript(t, true)
		s.send(1, "dial")
		s.step(event{kind: eventDialFailed, attempt: 1}, "drop, rest")
		s.step(event{kind: eventLeave}, "")
		s.in(phaseClosed)
	})
}

func TestLinkCloses(t *testing.T) {
	s := newLinkScript(t, true)
	s.dial(1)
	s.hello(s.conn("theirs", 7, 1), "")
	s.step(event{kind: eventClose}, "refuse theirs shutting_down, cancel, drop")
	s.in(phaseClosed)
	s.step(event{kind: eventDialed, attempt: 1, conn: s.conn("ours", 7, 1)}, "refuse ours stale")
	s.hello(s.conn("later", 7, 2), "refuse later shutting_down")
	s.send(2, "")
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	b := backoff{min: 10 * time.Millisecond, max: time.Second}
	most := b.min
	for failures := 1; failures < 100; failures++ {
		for range 20 {
			if d := b.after(failures); d < most/2 || d > most {
				t.Fatalf("after %d failures: %v, want %v to %v", failures, d, most/2, most)
			}
		}
		most = min(2*most, b.max)
	}
}

// Whether a link takes messages, in each phase.
func TestLinkAccepts(t *testing.T) {
	for p := phaseIdle; p <= phaseClosed; p++ {
		l := link{phase: p}
		if got := l.accepts(); got != (p == phaseDialing || p == phaseUp) {
			t.Errorf("%s: %v", p, got)
		}
		l.resting = true // an idle connection that ends loses nothing
		if got := l.accepts(); got != (p == phaseDialing || p == phaseUp || p == phaseBreaking) {
			t.Errorf("%s, at rest: %v", p, got)
		}
	}
}
