package remote

import (
	"slices"
	"time"
)

// phase is where the link to a peer stands.
type phase uint8

const (
	// phaseIdle: no connection, and none was refused lately. The next message dials.
	phaseIdle phase = iota
	// phaseDialing: an attempt of ours is under way; messages wait for it.
	phaseDialing
	// phaseUp: connected.
	phaseUp
	// phaseBreaking: the connection is lost or being replaced, and its loss is
	// being told to everyone concerned. Messages are refused meanwhile.
	phaseBreaking
	// phaseDown: the last attempt failed. Messages are refused until retryAt;
	// the next one after it dials.
	phaseDown
	// phaseClosed: the end; the peer gets another link if it is needed again.
	phaseClosed
)

func (p phase) String() string {
	return [...]string{"idle", "dialing", "up", "breaking", "down", "closed"}[p]
}

// link decides which connection to a peer lives. There is at most one at a
// time, dialled by either side. It is a step machine: it starts nothing and
// waits for nothing, and its owner carries out the effects of each step in order.
//
// When both sides dial at once, the first whose Hello arrives before the other
// has sent its own wins. If both Hellos are on their way, the connection dialled
// by the lexically lower address does: the higher side takes it and cancels its
// own attempt, the lower side holds the other's Hello until its own attempt has
// ended. So the two are connected also if only one of them can reach the other.
type link struct {
	lower   bool // our address is the lower of the two
	backoff backoff
	number  func() uint64 // numbers our attempts, larger each time

	phase    phase
	leaving  bool      // we are shutting down: only answers are accepted, on the connection there is
	attempt  uint64    // the attempt of ours that is under way
	greeted  bool      // its Hello is sent
	current  *conn     // phaseUp and phaseBreaking: the connection
	upSince  time.Time // phaseUp: when it began
	parting  bool      // phaseUp: the peer leaves or said goodbye, and takes no more messages
	resting  bool      // phaseUp and phaseBreaking: idle, so that messages wait for the next connection
	held     *conn     // a connection of the peer's that waits for a decision
	failures int       // attempts that failed since the last connection that held
	retryAt  time.Time // phaseDown: until then messages are refused

	incarnation uint64   // the peer's, as far as known
	settled     uint64   // attempts of that incarnation up to this one are over
	past        []uint64 // incarnations that newer ones replaced, newest last
}

// pastIncarnations bounds link.past.
const pastIncarnations = 8

type eventKind uint8

const (
	// eventSend: a message wants out.
	eventSend eventKind = iota
	// eventAsk: the peer has to be reached, also during the pause after a failure.
	eventAsk
	// eventHello: the peer dialled us; conn waits for its answer.
	eventHello
	// eventHelloGone: the peer gave up conn before it was answered.
	eventHelloGone
	// eventGreet: attempt is about to send its Hello.
	eventGreet
	// eventDialed: attempt was answered with a HelloReply; conn is the result.
	eventDialed
	// eventDialFailed: attempt ended without a connection.
	eventDialFailed
	// eventLost: conn broke, or is to be given up.
	eventLost
	// eventBroken: everyone was told that conn is lost.
	eventBroken
	// eventParting: the peer leaves, or said goodbye, on conn.
	eventParting
	// eventLeave: begin nothing new, and close when nothing is under way.
	eventLeave
	// eventClose: give up everything.
	eventClose
)

type event struct {
	kind    eventKind
	conn    *conn
	attempt uint64 // of ours
	idle    bool   // eventBroken: conn was at rest, which is no failure
}

type effectKind uint8

const (
	// effectDial: start an attempt.
	effectDial effectKind = iota
	// effectGreet: send the Hello.
	effectGreet
	// effectCancelDial: end the attempt that is under way.
	effectCancelDial
	// effectAdopt: conn is the connection now.
	effectAdopt
	// effectRefuse: answer conn, which the peer dialled, with reason; or drop
	// conn, which we dialled.
	effectRefuse
	// effectHangUp: end conn; when everyone was told, eventBroken follows.
	effectHangUp
	// effectDrop: what waits to be sent becomes dead letters.
	effectDrop
	// effectRest: there is nothing to do for now.
	effectRest
)

type effect struct {
	kind   effectKind
	conn   *conn
	reason refusal
}

// accepts reports whether a message may be queued.
func (l *link) accepts() bool {
	return l.phase == phaseDialing && !l.leaving || l.phase == phaseUp && !l.parting || l.phase == phaseBreaking && l.resting
}

// step takes an event and returns what is to be done about it.
func (l *link) step(now time.Time, ev event) []effect {
	switch ev.kind {
	case eventSend:
		return l.send(now)
	case eventAsk:
		return l.ask()
	case eventHello:
		return l.hello(now, ev.conn)
	case eventHelloGone:
		return l.helloGone(ev.conn)
	case eventGreet:
		return l.greet(ev.attempt)
	case eventDialed:
		return l.dialed(now, ev)
	case eventDialFailed:
		return l.dialFailed(now, ev.attempt)
	case eventLost:
		return l.lost(ev.conn)
	case eventBroken:
		return l.broken(now, ev)
	case eventParting:
		l.parting = l.parting || l.phase == phaseUp && l.current == ev.conn
		l.resting = false // what was held back is written before the goodbye
		return nil
	case eventLeave:
		return l.leave()
	case eventClose:
		return l.close()
	default:
		panic("remote: unknown link event")
	}
}

func (l *link) send(now time.Time) []effect {
	if l.phase == phaseDown && now.Before(l.retryAt) {
		return nil
	}
	return l.ask()
}

func (l *link) ask() []effect {
	if l.leaving || l.phase != phaseIdle && l.phase != phaseDown {
		return nil
	}
	l.phase, l.attempt, l.greeted = phaseDialing, l.number(), false
	return []effect{{kind: effectDial}}
}

func (l *link) hello(now time.Time, c *conn) []effect {
	if reason, ok := l.admits(c); !ok {
		return []effect{{kind: effectRefuse, conn: c, reason: reason}}
	}
	var effects []effect
	if l.held != nil {
		effects = append(effects, effect{kind: effectRefuse, conn: l.held, reason: refusalStale})
		l.held = nil
	}
	switch l.phase {
	case phaseDialing:
		if l.lower && l.greeted {
			l.held = c
			return effects
		}
		effects = append(effects, effect{kind: effectCancelDial})
		return append(effects, l.adopt(now, c)...)
	case phaseUp:
		l.held = c
		return append(effects, l.lost(l.current)...)
	case phaseBreaking:
		l.held = c
		return effects
	default:
		return append(effects, l.adopt(now, c)...)
	}
}

// admits reports whether a connection that the peer dialled may be taken at all.
func (l *link) admits(c *conn) (refusal, bool) {
	if l.leaving || l.phase == phaseClosed {
		return refusalShuttingDown, false
	}
	if slices.Contains(l.past, c.incarnation) {
		return refusalSuperseded, false
	}
	if c.incarnation == l.incarnation && c.attempt <= l.settled {
		return refusalStale, false
	}
	if l.held != nil && l.held.incarnation == c.incarnation && c.attempt <= l.held.attempt {
		return refusalStale, false
	}
	return 0, true
}

func (l *link) helloGone(c *conn) []effect {
	if l.held == c {
		l.held = nil
	}
	return nil
}

// greet lets the attempt send its Hello if it is still wanted.
func (l *link) greet(attempt uint64) []effect {
	if l.phase != phaseDialing || l.attempt != attempt {
		return nil
	}
	l.greeted = true
	return []effect{{kind: effectGreet}}
}

func (l *link) dialed(now time.Time, ev event) []effect {
	if l.phase != phaseDialing || l.attempt != ev.attempt {
		return []effect{{kind: effectRefuse, conn: ev.conn, reason: refusalStale}}
	}
	h := l.held
	l.held = nil
	effects := l.adopt(now, ev.conn)
	if h != nil {
		effects = append(effects, l.hello(now, h)...)
	}
	return effects
}

func (l *link) dialFailed(now time.Time, attempt uint64) []effect {
	if l.phase != phaseDialing || l.attempt != attempt {
		return nil
	}
	if h := l.held; h != nil {
		l.held = nil
		return l.adopt(now, h)
	}
	l.fail(now)
	if l.leaving {
		l.phase = phaseClosed
	}
	return []effect{{kind: effectDrop}, {kind: effectRest}}
}

// adopt makes c the connection. What is known of the peer's attempts grows by
// c's own, or by what the peer said in its HelloReply.
func (l *link) adopt(now time.Time, c *conn) []effect {
	if l.incarnation != c.incarnation {
		l.past = slices.DeleteFunc(l.past, func(i uint64) bool { return i == c.incarnation })
		if l.incarnation != 0 {
			l.past = append(l.past, l.incarnation)
			l.past = l.past[max(0, len(l.past)-pastIncarnations):]
		}
		l.incarnation, l.settled = c.incarnation, 0
	}
	l.settled = max(l.settled, c.attempt)
	l.phase, l.current, l.upSince, l.parting, l.resting = phaseUp, c, now, false, false
	return []effect{{kind: effectAdopt, conn: c}}
}

func (l *link) lost(c *conn) []effect {
	if l.phase != phaseUp || l.current != c {
		return nil
	}
	l.phase = phaseBreaking
	return []effect{{kind: effectHangUp, conn: c}}
}

func (l *link) broken(now time.Time, ev event) []effect {
	if l.phase != phaseBreaking || l.current != ev.conn {
		return nil
	}
	l.current, l.resting = nil, false
	if h := l.held; h != nil {
		l.held = nil
		return l.adopt(now, h)
	}
	if l.leaving {
		l.phase = phaseClosed
		return []effect{{kind: effectRest}}
	}
	if ev.idle || now.Sub(l.upSince) >= l.backoff.most(l.failures+1) { // else it counts as a failure
		l.failures, l.phase = 0, phaseIdle
	} else {
		l.fail(now)
	}
	return []effect{{kind: effectRest}}
}

// fail begins the time during which messages are refused.
func (l *link) fail(now time.Time) {
	l.failures++
	l.phase, l.retryAt = phaseDown, now.Add(l.backoff.after(l.failures))
}

func (l *link) leave() []effect {
	l.leaving = true
	if l.phase == phaseDialing || l.phase == phaseUp && l.held == nil {
		l.resting = false
		return nil
	}
	return l.close()
}

func (l *link) close() []effect {
	var effects []effect
	if h := l.held; h != nil {
		l.held = nil
		effects = append(effects, effect{kind: effectRefuse, conn: h, reason: refusalShuttingDown})
	}
	l.leaving = true
	switch l.phase {
	case phaseDialing:
		effects = append(effects, effect{kind: effectCancelDial}, effect{kind: effectDrop})
		l.phase = phaseClosed
	case phaseUp:
		effects = append(effects, l.lost(l.current)...)
	case phaseIdle, phaseDown:
		l.phase = phaseClosed
	}
	return effects
}
