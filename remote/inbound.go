package remote

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// Undecodable stands in an [actor.DeadLetterEvent] for a message from a peer that
// could not be read.
type Undecodable struct {
	// Peer is the address of the process that sent it.
	Peer string
	// Type is the name of its type, as far as known.
	Type string
	// Size is the number of its bytes.
	Size int
}

var (
	errNoTarget = errors.New("the message's target is out of range")
	errNoSender = errors.New("the message's sender is out of range or has no address")
	errNoType   = errors.New("the message's type is out of range")

	errBehalf = errors.New("an actor of Granary itself hears each process for itself, and the sender is of another one")
	errOwnEnd = errors.New("an actor of Granary itself is ended by its own process alone")
)

// inboundTables are the PIDs of the batch that is being delivered, made when the
// first message needs them.
type inboundTables struct {
	targets []target
	senders []*actor.PID
}

type target struct {
	pid     *actor.PID
	process actor.Process
	own     bool // it is Granary's own
}

// ownPrefix begins the ids of actors that are Granary's own. They go by who a message is
// from, so that a peer may not speak for others there.
const ownPrefix = "granary."

// refuses says why an actor of Granary's own does not get a message.
func (c *conn) refuses(env *actor.MessageEnvelope) error {
	if env.Sender != nil && env.Sender.Address != c.peer.address {
		return errBehalf
	}
	switch env.Message.(type) {
	case *actor.Stop, *actor.PoisonPill:
		return errOwnEnd
	default:
		return nil
	}
}

func (t *inboundTables) reset(b *batch) {
	clear(t.targets)
	clear(t.senders)
	t.targets = append(t.targets[:0], make([]target, len(b.targets))...)
	t.senders = append(t.senders[:0], make([]*actor.PID, len(b.senders))...)
}

// deliver hands the messages of a batch to the actors here. An error ends the
// connection.
func (r *reader) deliver(data []byte) error {
	c := r.conn
	b := &r.batch
	if err := b.read(data); err != nil {
		return err
	}
	if b.acknowledged > 0 {
		if err := c.ep.acknowledged(c, b.acknowledged); err != nil {
			return err
		}
	}
	r.inbound.reset(b)
	c.remote.stats.received.Add(uint64(b.count))
	c.ep.received.Add(uint64(b.count))
	c.remote.stats.receivedBytes.Add(uint64(len(data)))
	c.ep.receivedBytes.Add(uint64(len(data)))
	var e envelope
	for raw := range b.envelopes() {
		c.deliverOne(b, &e, raw)
	}
	c.owed.count(b.count, len(data), c.peer.features.acknowledges)
	return nil
}

// deliverOne delivers one message, or makes it a dead letter. A panic costs the
// message only: nothing here should, but a process that a program registered
// itself may.
func (c *conn) deliverOne(b *batch, e *envelope, raw []byte) {
	var t target
	env := actor.MessageEnvelope{}
	defer func() {
		if p := recover(); p != nil {
			c.panicked(t.pid, env, p)
		}
	}()
	err := e.parse(raw)
	if err == nil {
		t, err = c.target(b, e.target)
	}
	if sender, senderErr := c.sender(b, e.sender); senderErr == nil {
		env.Sender = sender
	} else if err == nil {
		err = senderErr
	}
	system := false
	if err == nil {
		env.Header = e.header
		env.Message, system, err = c.message(b, e)
	}
	if err == nil && t.own {
		err = c.refuses(&env)
	}
	lost, isLost := env.Message.(*replyLost)
	switch {
	case err != nil:
		c.undecodable(b, e, t, env.Sender, err)
	case isLost:
		lost.tell(t.process, c.peer.address)
	case !system:
		t.process.SendUserMessage(t.pid, env)
	case c.bookWatch(t.pid, env.Message):
		t.process.SendSystemMessage(t.pid, env.Message)
	}
}

// panicked tells the requester that its message may or may not have run.
func (c *conn) panicked(pid *actor.PID, env actor.MessageEnvelope, p any) {
	r := c.remote
	r.logger.Error("remote: delivering a message panicked", "peer", c.peer.address, "target", pid,
		"message", fmt.Sprintf("%T", env.Message), "panic", p, "stack", string(debug.Stack()))
	if env.Sender == nil {
		return
	}
	process, _ := r.system.ProcessRegistry.Get(env.Sender)
	newReplyLost("delivering the message panicked").tellAsker(process, env.Sender, r.address)
}

func (c *conn) message(b *batch, e *envelope) (message any, system bool, err error) {
	if e.control != nil {
		var control remotepb.Control
		if err := proto.Unmarshal(e.control, &control); err != nil {
			return nil, false, err
		}
		return c.remote.serial.controlIn(&control, c.peer.address)
	}
	if e.typ >= uint64(len(b.types)) {
		return nil, false, errNoType
	}
	message, err = c.remote.serial.decode(b.types[e.typ], e.data)
	return message, false, err
}

// target returns the process that is the i-th of the batch's targets. For an id
// that nobody has it is the one that makes dead letters.
func (c *conn) target(b *batch, i uint64) (target, error) {
	if i >= uint64(len(b.targets)) {
		return target{}, errNoTarget
	}
	t := &c.reader.inbound.targets[i]
	if t.pid == nil {
		t.pid = c.remote.system.NewLocalPID(b.targets[i])
		t.own = strings.HasPrefix(t.pid.Id, ownPrefix)
		t.process, _ = c.remote.system.ProcessRegistry.GetLocal(t.pid.Id)
	}
	return *t, nil
}

// sender returns the PID that is the i-th, from 1, of the batch's senders; nil for 0.
func (c *conn) sender(b *batch, i uint64) (*actor.PID, error) {
	if i == 0 {
		return nil, nil
	}
	if i > uint64(len(b.senders)) {
		return nil, errNoSender
	}
	pid := &c.reader.inbound.senders[i-1]
	if *pid == nil {
		s := b.senders[i-1]
		if s.address == "" || s.address == nowhere || s.id == "" {
			return nil, errNoSender
		}
		if err := checkSender(s.address, c.peer.address); err != nil {
			return nil, err
		}
		*pid = actor.NewPID(s.address, s.id)
	}
	return *pid, nil
}

// bookWatch keeps the books of watches for a system message of the peer, and
// reports whether it is to be delivered: a Terminated that nobody waits for is not.
func (c *conn) bookWatch(pid *actor.PID, message any) bool {
	c.ep.mu.Lock()
	defer c.ep.mu.Unlock()
	switch m := message.(type) {
	case *actor.Watch:
		if !c.ep.watches.addTheirs(pid.Id, m.Watcher.Id, c.remote.config.maxWatches) {
			c.fail(errWatches)
			return false
		}
	case *actor.Unwatch:
		return c.ep.watches.removeTheirs(pid.Id, m.Watcher.Id)
	case *actor.Terminated:
		return c.ep.watches.remove(m.Who.Id, pid.Id)
	}
	return true
}

// undecodable makes a dead letter of what could not be read: its requester is
// answered at once, and so is who waits for it as an answer.
func (c *conn) undecodable(b *batch, e *envelope, t target, sender *actor.PID, err error) {
	c.remote.stats.undecodable.Add(1)
	u := &Undecodable{Peer: c.peer.address, Size: len(e.data) + len(e.control)}
	if e.typ < uint64(len(b.types)) && e.control == nil {
		u.Type = b.types[e.typ].name
	}
	reason := ReasonUnreadable + err.Error()
	newReplyLost(reason).tell(t.process, c.peer.address)
	c.remote.system.DeadLetter(t.pid, actor.MessageEnvelope{Message: u, Sender: sender, Header: e.header}, reason)
}
