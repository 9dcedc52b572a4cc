package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
)

// restFor is how long an endpoint without a connection is kept after its last
// pause. It remembers how often reaching the peer failed.
const restFor = 2 * time.Second

// endpoint is a peer as seen from here: the process behind every PID of its
// address. It carries out what its link decides.
type endpoint struct {
	remote  *Remote
	address string
	gone    chan struct{} // closed when the link is

	sent, received           atomic.Uint64 // messages
	sentBytes, receivedBytes atomic.Uint64

	// wake tells the connection's writer to look again.
	wake chan struct{}

	mu      sync.Mutex // guards what follows
	link    link
	queue   queue
	flight  flight
	doubt   *doubt // of the last connection, until the next one
	watches watches
	cancel  context.CancelFunc // ends the attempt that is under way
	rest    *time.Timer        // retires the endpoint
	refusal string             // why messages are refused in phaseDown
	left    bool               // the last connection ended by a goodbye
}

func newEndpoint(r *Remote, address string) *endpoint {
	return &endpoint{
		remote: r, address: address,
		gone:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		link:    link{lower: r.address < address, backoff: r.config.backoff, number: r.nextAttempt},
		queue:   queue{maxMessages: r.config.queueMessages, maxBytes: r.config.queueBytes, maxSystem: 2 * r.config.maxWatches},
		flight:  flight{maxMessages: max(r.config.queueMessages, 4*owedMessages), maxBytes: max(r.config.queueBytes, 4*owedBytes), next: r.number.Load()},
		refusal: "remote: no connection to " + address,
	}
}

// SendUserMessage implements [actor.Process].
func (ep *endpoint) SendUserMessage(pid *actor.PID, env actor.MessageEnvelope) {
	o := outbound{target: pid, env: env}
	if reason := ep.send(&o); reason != "" {
		ep.refused(pid, env, reason)
	}
}

// refused makes a dead letter of a message. One that cannot cross whenever it is
// sent, and that nobody here is asked about, may be an answer: if so, who waits
// for it is told.
func (ep *endpoint) refused(pid *actor.PID, env actor.MessageEnvelope, reason string) {
	if _, told := env.Message.(*replyLost); told {
		return // the answer itself is a dead letter already
	}
	ep.remote.system.DeadLetter(pid, env, reason)
	if env.Sender == nil && strings.HasPrefix(reason, ReasonUnsendable) {
		ep.SendUserMessage(pid, actor.MessageEnvelope{Message: newReplyLost(reason)})
	}
}

// SendSystemMessage implements [actor.Process].
func (ep *endpoint) SendSystemMessage(pid *actor.PID, message any) {
	o := outbound{target: pid, env: actor.MessageEnvelope{Message: message}, system: true}
	reason := ep.send(&o)
	if reason == "" {
		return
	}
	switch m := message.(type) {
	case *actor.Watch:
		if m != nil && m.Watcher != nil {
			terminate(ep.remote.system, pid, m.Watcher)
		}
	case *actor.Unwatch, *actor.Terminated: // there is nobody to tell
	default:
		ep.remote.system.DeadLetter(pid, o.env, reason)
	}
}

// send queues a message, or says why it is a dead letter.
func (ep *endpoint) send(o *outbound) (refused string) {
	if err := ep.remote.serial.encode(o); err != nil {
		return ReasonUnsendable + err.Error()
	}
	if o.size > ep.remote.config.maxMessage {
		return ReasonUnsendable + tooLarge(o.size, ep.remote.config.maxMessage)
	}
	for {
		refused, retired := ep.enqueue(o)
		if !retired {
			return refused
		}
		ep = ep.remote.endpoint(ep.address)
	}
}

// enqueue reports retired if the peer has another endpoint by now.
func (ep *endpoint) enqueue(o *outbound) (refused string, retired bool) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if o.system {
		if ep.isOneWatchTooMany(o) {
			return fmt.Sprintf("remote: too many actors at %s are watched from here", ep.address), false
		}
		if !ep.registerWatch(o) {
			return "", false
		}
	}
	if !ep.link.accepts() {
		if ep.link.phase == phaseClosed && !ep.link.leaving {
			return "", true
		}
		ep.step(event{kind: eventSend})
	}
	switch {
	case !ep.link.accepts():
		ep.forgetWatch(o)
		return ep.whyRefused(), false
	case !ep.queue.push(o):
		if o.system {
			ep.flooded(o)
		}
		return fmt.Sprintf("remote: the queue to %s is full", ep.address), false
	}
	ep.remote.system.RequestUnderway(o.replyTo())
	nudge(ep.wake)
	return "", false
}

// flooded ends the connection: what o would have told the peer is told by that.
func (ep *endpoint) flooded(o *outbound) {
	ep.forgetWatch(o)
	if c := ep.link.current; c != nil {
		c.fail(errFlooded)
	}
}

func (ep *endpoint) isOneWatchTooMany(o *outbound) bool {
	m, ok := o.env.Message.(*actor.Watch)
	return ok && len(ep.watches.ours) >= ep.remote.config.maxWatches && !ep.watches.has(o.target, m.Watcher)
}

// registerWatch keeps the books of watches for a message that goes out, and
// reports whether it needs to: of what ended with an earlier connection the peer
// knows already.
func (ep *endpoint) registerWatch(o *outbound) bool {
	switch m := o.env.Message.(type) {
	case *actor.Watch:
		ep.watches.add(o.target, m.Watcher)
	case *actor.Unwatch:
		return ep.watches.remove(o.target.Id, m.Watcher.Id)
	case *actor.Terminated:
		return ep.watches.removeTheirs(m.Who.Id, o.target.Id)
	}
	return true
}

func (ep *endpoint) forgetWatch(o *outbound) {
	if m, ok := o.env.Message.(*actor.Watch); ok && o.system {
		ep.watches.remove(o.target.Id, m.Watcher.Id)
	}
}

func (ep *endpoint) whyRefused() string {
	switch {
	case ep == ep.remote.crowd:
		return ep.refusal
	case ep.link.leaving:
		return ErrShutDown.Error()
	case ep.link.phase == phaseUp:
		return fmt.Sprintf("remote: %s is shutting down", ep.address)
	case ep.link.phase == phaseBreaking:
		return fmt.Sprintf("remote: the connection to %s was lost", ep.address)
	default:
		return ep.refusal
	}
}

// happened takes an event that comes from outside the endpoint.
func (ep *endpoint) happened(ev event) {
	ep.mu.Lock()
	after := ep.step(ev)
	ep.mu.Unlock()
	after()
}

// step feeds the link an event and carries out the effects; ep.mu is held. None
// of them blocks or runs anybody else's code; what would is returned, to be
// called without the mutex.
func (ep *endpoint) step(ev event) (after func()) {
	after = func() {}
	for _, e := range ep.link.step(time.Now(), ev) {
		switch e.kind {
		case effectDial:
			ep.startDial()
		case effectCancelDial:
			ep.cancel()
		case effectAdopt:
			ep.stopRest()
			e.conn.adopted(ep)
		case effectRefuse:
			e.conn.refused(e.reason)
		case effectHangUp:
			e.conn.fail(ep.hangUpCause(ev))
		case effectDrop:
			dropped, ended, reason := ep.queue.drain(), ep.watches.drain(), ep.whyRefused()
			after = func() {
				ep.deadLetter(dropped, reason)
				ended.end(ep.remote.system, ep.address)
			}
		case effectRest:
			ep.startRest()
		}
	}
	if ep.link.phase == phaseClosed {
		ep.stopRest()
		ep.closeGone()
	}
	return after
}

func (ep *endpoint) hangUpCause(ev event) error {
	if ev.kind == eventHello || ev.kind == eventDialed {
		return errReplaced
	}
	return errClosing
}

func (ep *endpoint) closeGone() {
	select {
	case <-ep.gone:
	default:
		close(ep.gone)
	}
}

func (ep *endpoint) startDial() {
	ep.stopRest()
	attempt := ep.link.attempt
	ctx, cancel := context.WithCancel(ep.remote.ctx)
	ep.cancel = cancel
	ep.remote.wg.Go(func() {
		defer cancel()
		c, err := ep.remote.dialPeer(ctx, ep, attempt)
		if err != nil {
			ep.dialFailed(attempt, err)
			return
		}
		ep.happened(event{kind: eventDialed, conn: c, attempt: attempt})
	})
}

// mayGreet reports whether the attempt may send its Hello. From then on the peer
// may count on it.
func (ep *endpoint) mayGreet(attempt uint64) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return len(ep.link.step(time.Now(), event{kind: eventGreet, attempt: attempt})) > 0
}

func (ep *endpoint) dialFailed(attempt uint64, err error) {
	ep.mu.Lock()
	current := ep.link.phase == phaseDialing && ep.link.attempt == attempt
	first, left := current && ep.link.failures == 0, ep.left
	if current {
		ep.refusal = fmt.Sprintf("remote: cannot reach %s: %v", ep.address, err)
	}
	after := ep.step(event{kind: eventDialFailed, attempt: attempt})
	ep.mu.Unlock()
	if first && !errors.Is(err, context.Canceled) {
		level := slog.LevelWarn
		if left { // as it had said; who did not know yet has sent it something
			level = slog.LevelInfo
		}
		ep.remote.logger.Log(context.Background(), level, "remote: cannot reach a peer", "peer", ep.address, "error", err)
	}
	after()
}

// deadLetter disposes of what was not written. Those who wait for a Terminated
// are told otherwise.
func (ep *endpoint) deadLetter(items []flying, reason string) {
	for i := range items {
		if o := &items[i]; o.target != nil && !isOfConnection(o.env.Message, o.system) {
			ep.remote.system.DeadLetter(o.target, o.env, reason)
		}
	}
}

// broken tells everyone concerned that c is gone: first those whose message was
// not written, which certainly did not run; then those who wait for an answer;
// then those who watch. Both goroutines of c have ended. It returns what is in doubt,
// nil if nothing is: after a goodbye everything has arrived.
func (ep *endpoint) broken(c *conn, cause error) *doubt {
	if errors.Is(cause, errIdle) {
		ep.rested(c)
		return nil
	}
	ep.mu.Lock()
	ep.link.resting = false
	items, ended := ep.queue.drain(), ep.watches.drain()
	var d *doubt
	if flown, first := ep.flight.land(); len(flown) > 0 && !errors.Is(cause, errGoodbye) {
		d = &doubt{items: flown, first: first, answers: make(chan answer, 1)}
	}
	ep.mu.Unlock()
	reason := fmt.Sprintf("remote: the connection to %s was lost: %v", ep.address, cause)
	ep.deadLetter(c.writer.rest(), reason)
	ep.deadLetter(items, reason)
	system := ep.remote.system
	system.AbandonRequests(ep.address, fmt.Errorf("%w: %s: %w", ErrConnectionLost, ep.address, cause))
	ended.end(system, ep.address)
	ep.remote.disconnected(c) // before the next connection, which may follow at once
	ep.mu.Lock()
	ep.refusal, ep.doubt, ep.left = reason, d, errors.Is(cause, errGoodbye)
	after := ep.step(event{kind: eventBroken, conn: c})
	if d != nil && !ep.link.leaving {
		ep.step(event{kind: eventAsk}) // the peer knows
	}
	ep.mu.Unlock()
	after()
	return d
}

// startRest makes the endpoint go away when nothing happens for a while.
func (ep *endpoint) startRest() {
	if ep.rest == nil {
		ep.rest = time.AfterFunc(ep.link.backoff.max+restFor, ep.retire)
		return
	}
	ep.rest.Reset(ep.link.backoff.max + restFor)
}

func (ep *endpoint) stopRest() {
	if ep.rest != nil {
		ep.rest.Stop()
	}
}

func (ep *endpoint) retire() {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	switch {
	case ep.link.phase != phaseIdle && ep.link.phase != phaseDown:
	case ep.doubt != nil:
		ep.startRest()
	case ep.queue.messages > 0:
		ep.step(event{kind: eventAsk})
	default:
		ep.link.phase = phaseClosed
		ep.remote.numbered(ep.flight.next)
		ep.remote.endpoints.Delete(ep.address)
		ep.closeGone()
	}
}

// leave accepts no more messages, and ends the connection when what is queued
// was written.
func (ep *endpoint) leave() {
	ep.mu.Lock()
	after := ep.step(event{kind: eventLeave})
	if c := ep.link.current; c != nil {
		c.leave()
	}
	ep.mu.Unlock()
	after()
}

// disconnect gives the connection up, if there is one.
func (ep *endpoint) disconnect() {
	ep.mu.Lock()
	if c := ep.link.current; c != nil {
		c.fail(errDisconnected)
	}
	ep.mu.Unlock()
}

func (ep *endpoint) take() (items []outbound, more bool) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.link.resting {
		return nil, false
	}
	return ep.queue.take()
}

func (ep *endpoint) giveBack(items []outbound) {
	if len(items) == 0 {
		return
	}
	clear(items)
	ep.mu.Lock()
	defer ep.mu.Unlock()
	ep.queue.giveBack(items)
}

func (ep *endpoint) written(messages, bytes int) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	ep.queue.written(messages, bytes)
}

// takeOff makes messages that were queued ones that are under way, unless too many
// are. Those to a peer that does not acknowledge are forgotten.
func (ep *endpoint) takeOff(batch []flying, bytes int, acknowledged bool) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if acknowledged {
		if !ep.flight.fits(len(batch), bytes) {
			return false
		}
		ep.flight.add(batch)
	}
	ep.queue.written(len(batch), bytes)
	return true
}

// withdraw is the reverse of takeOff. It returns those that the peer does not have:
// one that has acknowledged a message does, whatever the transport says.
func (ep *endpoint) withdraw(batch []flying, acknowledged bool) []flying {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if acknowledged {
		batch = batch[len(batch)-ep.flight.withdraw(len(batch)):]
	}
	bytes := 0
	for i := range batch {
		bytes += batch[i].size
	}
	ep.queue.written(-len(batch), -bytes)
	return batch
}

// acknowledged takes an acknowledgement that came over c. An error ends c.
func (ep *endpoint) acknowledged(c *conn, upTo uint64) error {
	ep.mu.Lock()
	err := ep.flight.acknowledge(upTo)
	ep.mu.Unlock()
	nudge(c.room)
	c.endIfDone()
	return err
}

func (ep *endpoint) unacknowledged() int {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.flight.len()
}

// first is the number of the next message to the peer.
func (ep *endpoint) first() uint64 {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.flight.next
}
