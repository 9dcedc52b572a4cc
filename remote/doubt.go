package remote

import (
	"fmt"
	"sync"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// doubtFor is how long messages that were written and not acknowledged when their
// connection broke wait to learn whether they arrived.
const doubtFor = 10 * time.Second

// askEvery is how often the peer is tried to be reached meanwhile, whatever the pauses
// between attempts are otherwise.
const askEvery = time.Second

// doubt is what was written over a connection that broke, and not acknowledged. Some
// of it may have arrived: the peer says how much when the two are connected again.
type doubt struct {
	items   []flying
	first   uint64      // the number of items[0]
	answers chan answer // has room for the one that comes
}

// answer is what the peer says of the messages that it had of this process.
type answer struct {
	upTo  uint64 // those with lower numbers arrived
	since uint64 // of those with numbers lower than this one nothing is known
	known bool   // false if the peer does not know, or is another process by now
}

// answerOf reads what a peer said in its handshake.
func (r *Remote) answerOf(a *remotepb.Arrived) answer {
	if a == nil || a.Incarnation != r.incarnation {
		return answer{}
	}
	return answer{upTo: a.Messages, since: a.Since, known: true}
}

// split tells what did not arrive, or may not have if that is not known, and why.
func (d *doubt) split(a answer, peer string, cause error) (lost []flying, known bool, reason string) {
	last := d.first + uint64(len(d.items))
	switch {
	case !a.known || a.upTo > last || a.since > d.first:
		return d.items, false, fmt.Sprintf("remote: the connection to %s was lost (%v) and whether the message had arrived is unknown", peer, cause)
	case a.upTo <= d.first:
		lost = d.items
	default:
		lost = d.items[a.upTo-d.first:]
	}
	return lost, true, fmt.Sprintf("remote: the connection to %s was lost before the message arrived: %v", peer, cause)
}

// settle waits until the peer has said what became of the messages of c that were
// under way, and makes dead letters of those that did not arrive. It asks by trying
// to connect.
func (ep *endpoint) settle(c *conn, d *doubt) {
	timeout := time.NewTimer(doubtFor)
	defer timeout.Stop()
	again := time.NewTicker(askEvery)
	defer again.Stop()
	var a answer
	for waiting := true; waiting; {
		select {
		case a = <-d.answers:
			waiting = false
		case <-again.C:
			ep.happened(event{kind: eventAsk})
		case <-timeout.C:
			waiting = false
		case <-ep.remote.ctx.Done():
			waiting = false
		}
	}
	ep.forget(d)
	lost, known, reason := d.split(a, ep.address, c.cause)
	for i := range lost {
		ep.lost(&lost[i], known, reason)
	}
}

// forget makes room for the doubts of the next connection.
func (ep *endpoint) forget(d *doubt) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.doubt == d {
		ep.doubt = nil
	}
}

// lost makes a dead letter of a message that was written. Its sender learns that it did
// not run only if that is known. Who asked for an answer by a future of this process was
// told when the connection broke, and is not told again.
func (ep *endpoint) lost(m *flying, known bool, reason string) {
	if isOfConnection(m.env.Message, m.system) {
		return
	}
	env := m.env
	if sender := env.Sender; sender != nil {
		process, there := ep.remote.system.ProcessRegistry.Get(sender)
		if !there || !known {
			env.Sender = nil
		}
		if there && !known {
			tellUnknown(process, sender, ep.address, reason)
		}
	}
	ep.remote.system.DeadLetter(m.target, env, reason)
}

// tellUnknown ends the future that waits for the answer to a message of which nobody knows
// whether it ran, here or in a third process. An actor that sent it waits for nothing.
func tellUnknown(process actor.Process, sender *actor.PID, peer, reason string) {
	if f, ok := process.(*actor.Future); ok {
		f.Fail(fmt.Errorf("%w: %s: %s", ErrConnectionLost, peer, reason))
		return
	}
	newReplyLost(reason).tellAsker(process, sender, peer)
}

// isOfConnection reports whether a message speaks of what ends with a connection
// anyway: whom it concerns is told of that end.
func isOfConnection(message any, system bool) bool {
	switch message.(type) {
	case *replyLost:
		return true
	case *actor.Watch, *actor.Unwatch, *actor.Terminated:
		return system
	}
	return false
}

// arrivals remembers how many messages of each peer arrived here, beyond the end of
// their connection: the peer asks when it is back.
type arrivals struct {
	most int

	mu    sync.Mutex // guards what follows
	of    map[string]*remotepb.Arrived
	order []string // addresses, the one that was first remembered first
}

// remember keeps how far the messages of a peer came, from its first on a connection that has ended. Where none came, what an
// earlier connection has told stays true: the peer may never have known that there was this one, and still ask for that. Beyond
// most, the peer that was remembered first is forgotten.
func (a *arrivals) remember(address string, incarnation, first, messages uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = make(map[string]*remotepb.Arrived)
	}
	earlier, known := a.of[address]
	if known && earlier.Incarnation == incarnation && first == messages {
		return
	}
	if !known {
		if len(a.order) >= a.most {
			delete(a.of, a.order[0])
			a.order = a.order[1:]
		}
		a.order = append(a.order, address)
	}
	a.of[address] = &remotepb.Arrived{Incarnation: incarnation, Messages: messages, Since: first}
}

// from returns what is known of a peer; nil if nothing is.
func (a *arrivals) from(address string) *remotepb.Arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of[address]
}
