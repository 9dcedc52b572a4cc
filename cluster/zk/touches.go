package zk

import "time"

// touches is how much time a session is sure to have.
//
// The leader ends a session not before its time-out has passed since it last heard that the session was touched. What it
// hears, and when:
//
//   - A handshake, for a new session or one that goes on, is a touch that the leader has seen when it is answered.
//   - A request is a touch at the server that it reaches. If that is a follower, the leader is told with the follower's
//     next answer to one of its pings, which it sends each half tick. So the request that a follower has forwarded, and
//     that was agreed on, may not count yet when the follower is cut off or crashes: it proves that the session was
//     there, not how long it will be.
//   - The follower forwards requests and answers pings on one connection, in order. When a write is agreed on, the
//     leader has heard of every request before it that was answered half a tick earlier, by this follower, by one
//     before a handshake, or by an earlier leader. The session's time-out has at least two ticks unless the
//     server's minSessionTimeout is set lower: so half a tick is at most a quarter of it.
//   - A new leader gives each session its whole time-out again.
//
// So a write that was agreed on, and sent a quarter of the time-out after an earlier one was answered, proves that the
// session lasts until a time-out after that earlier one was sent. Half of the time-out is granted, or less if that
// proof does not reach as far: after renewals that were late. Renewals come each sixth, so that it does as a rule.
//
// The zero time-out is no session's.
type touches struct {
	timeout time.Duration
	known   time.Time // before the newest touch of which the leader has heard
	recent  []touch   // later ones, in their order
}

// touch is a request that was answered.
type touch struct{ sent, answered time.Time }

// renewed gives the time that a write grants, from when it was sent. Attached is before the handshake of its connection;
// zero if that is not known.
func (t *touches) renewed(attached, sent, answered time.Time) time.Duration {
	if attached.After(t.known) && !attached.After(sent) {
		t.known = attached
	}
	for len(t.recent) > 0 && between(t.recent[0].answered, sent) >= t.timeout/4 {
		if t.recent[0].sent.After(t.known) {
			t.known = t.recent[0].sent
		}
		t.recent = t.recent[1:]
	}
	t.recent = append(t.recent, touch{sent, answered})
	if attached.After(sent) {
		return t.timeout / 2 // the handshake was part of this renewal
	}
	return min(t.timeout/2, t.timeout-between(t.known, sent))
}

// between gives how much later b is than a. The machine may have slept meanwhile, which only the wall clock shows; that
// may be set, which only the other does not show. The longer of both is safe.
func between(a, b time.Time) time.Duration { return max(b.Sub(a), b.Round(0).Sub(a.Round(0))) }
