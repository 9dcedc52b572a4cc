package actor

import (
	"container/heap"
	"fmt"
	"math"
	"sync"

	"github.com/granary-go/granary/internal/queue"
)

// Mailbox is where an actor's messages wait: what [WithMailbox] takes. The zero
// Mailbox is [Unbounded]. The system's own messages, such as *[Terminated], have
// a queue of their own beside every mailbox and come first.
type Mailbox struct {
	make func() mailbox // nil: unbounded
	err  error
}

// Unbounded returns the default: first in first out, and as long as memory
// lasts. Given to [WithMailbox] it wins over the system's defaults ([WithDefaults]).
func Unbounded() Mailbox { return Mailbox{} }

// Overflow says what a [Bounded] mailbox does with a message when it is full. No
// message is lost in silence: one that has no place becomes a dead letter with
// the reason [DeadLetterMailboxFull], so that who waits for an answer is told at
// once.
type Overflow int

const (
	// OverflowReject refuses the message that comes.
	OverflowReject Overflow = iota
	// OverflowDropOldest makes room by giving up the message that has waited
	// longest.
	OverflowDropOldest
	// OverflowDropNewest makes room by giving up the message that came last.
	OverflowDropNewest
	// OverflowWait holds [RootContext.Send] up until there is room, or the
	// actor has stopped. Everybody else, other actors above all, is refused as
	// by OverflowReject: actors that wait for each other would stand still. For
	// that reason the handler of an actor does not send by the root context.
	OverflowWait
)

// MailboxExempt is implemented by messages that find room in a mailbox that is full,
// because an actor sends them to itself and would stand still without them.
type MailboxExempt interface {
	MailboxExempt()
}

// Bounded returns a mailbox for at most capacity messages, from 1 to 16,777,216.
// PoisonPill, the continuations of [Context.ReenterAfter] and messages that are
// [MailboxExempt] find room in any case and do not count; a *[MessageBatch] counts
// as one.
func Bounded(capacity int, whenFull Overflow) Mailbox {
	const most = 1 << 24
	switch {
	case capacity < 1 || capacity > most:
		return Mailbox{err: fmt.Errorf("the capacity of a bounded mailbox is from 1 to %d, not %d", most, capacity)}
	case whenFull < OverflowReject || whenFull > OverflowWait:
		return Mailbox{err: fmt.Errorf("%d is no Overflow; use one of its constants", whenFull)}
	}
	return Mailbox{make: func() mailbox {
		b := &boundedMailbox{capacity: capacity, whenFull: whenFull}
		b.room.L = &b.mu
		return b
	}}
}

// PriorityMessage is implemented by messages that others of an
// [UnboundedPriority] mailbox should not have to wait for, or that can wait.
type PriorityMessage interface {
	// Priority is 0 for messages that do not implement the interface. Higher
	// numbers come first. It must not change while the message waits. One that
	// panics is taken for 0.
	Priority() int
}

// UnboundedPriority returns a mailbox that gives out the message of the highest
// [PriorityMessage] first, and of one priority the first that came. A PoisonPill
// comes after everything that waits, also what came later: an actor that is always
// sent to is stopped by Stop.
func UnboundedPriority() Mailbox {
	return Mailbox{make: func() mailbox { return &priorityMailbox{} }}
}

// mailbox holds the messages of one actor, instead of cell.user. Push is called
// by anyone, pop by whoever runs the actor.
type mailbox interface {
	// push puts a message in and returns one that has no place: the message
	// itself or one that had to give way. With wait it may hold the caller up.
	push(env MessageEnvelope, wait bool) (out MessageEnvelope, full bool)
	pop() (env MessageEnvelope, ok bool)
	// pushed reports whether there is something to pop.
	pushed() bool
	// length counts what there is to pop. Whoever runs the actor calls it.
	length() int
}

// mostCounted is from where on [MailboxLength] may stop counting.
const mostCounted = 16384

// MailboxLength tells how many messages wait for the actor, besides the one that it
// handles; of more than 16,384 it tells at least so many. It takes longer the
// more there are, up to some tens of nanoseconds. Like ctx it may be used only
// by the actor, while it handles a message. That of a root context is 0.
func MailboxLength(ctx SenderContext) int {
	c := ctx.cell()
	if c == nil {
		return 0
	}
	n := 0
	if c.extras != nil {
		n = len(c.extras.first)
	}
	if c.special != nil && c.special.mailbox != nil {
		return n + c.special.mailbox.length()
	}
	return n + c.user.Len(mostCounted)
}

// exempt reports whether a message is the actor's or the system's own and must
// not meet a full mailbox.
func exempt(message any) bool {
	switch message.(type) {
	case *PoisonPill, *receiveTick, *Continuation, MailboxExempt:
		return true
	default:
		return false
	}
}

// boundedMailbox is a ring that grows up to its capacity, and beyond it for what
// is exempt. Those who wait for room get it also when the actor stops, since what
// is in the mailbox then is taken out as ever, for dead letters.
type boundedMailbox struct {
	capacity int
	whenFull Overflow

	mu      sync.Mutex
	room    sync.Cond         // for those who wait; of mu
	ring    []MessageEnvelope // guarded by mu
	head, n int               // guarded by mu: the oldest, and how many there are
	counted int               // guarded by mu: how many of them are not exempt
	waiting int               // guarded by mu: how many wait for room
}

// keptRing is the largest ring that a mailbox keeps when it is empty.
const keptRing = 64

func (b *boundedMailbox) push(env MessageEnvelope, wait bool) (out MessageEnvelope, full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if exempt(env.Message) {
		b.append(env)
		return out, false
	}
	for b.counted >= b.capacity && b.whenFull == OverflowWait && wait {
		b.waiting++
		b.room.Wait()
		b.waiting--
	}
	if b.counted >= b.capacity {
		switch b.whenFull {
		case OverflowDropOldest:
			out, full = b.remove(0, +1), true
		case OverflowDropNewest:
			out, full = b.remove(b.n-1, -1), true
		default:
			return env, true
		}
	}
	b.append(env)
	b.counted++
	return out, full
}

func (b *boundedMailbox) append(env MessageEnvelope) {
	if b.n == len(b.ring) {
		larger := make([]MessageEnvelope, max(8, 2*b.n))
		for i := range b.n {
			larger[i] = *b.at(i)
		}
		b.ring, b.head = larger, 0
	}
	b.n++
	*b.at(b.n - 1) = env
}

func (b *boundedMailbox) at(i int) *MessageEnvelope { return &b.ring[(b.head+i)%len(b.ring)] }

// remove takes the first message out that is not exempt, from i on in the given
// direction. There is one.
func (b *boundedMailbox) remove(i, direction int) MessageEnvelope {
	for exempt(b.at(i).Message) {
		i += direction
	}
	env := *b.at(i)
	b.n--
	b.counted--
	if i < b.n/2 { // those before it go one place on, of which there are few
		for ; i > 0; i-- {
			*b.at(i) = *b.at(i - 1)
		}
		*b.at(0) = MessageEnvelope{}
		b.head = (b.head + 1) % len(b.ring)
		return env
	}
	for ; i < b.n; i++ {
		*b.at(i) = *b.at(i + 1)
	}
	*b.at(b.n) = MessageEnvelope{}
	return env
}

func (b *boundedMailbox) pop() (env MessageEnvelope, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == 0 {
		return env, false
	}
	env, *b.at(0) = *b.at(0), MessageEnvelope{}
	b.head = (b.head + 1) % len(b.ring)
	b.n--
	if b.n == 0 && len(b.ring) > keptRing {
		b.ring, b.head = nil, 0
	}
	if !exempt(env.Message) {
		b.counted--
		if b.waiting > 0 {
			b.room.Signal()
		}
	}
	return env, true
}

func (b *boundedMailbox) pushed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n > 0
}

func (b *boundedMailbox) length() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// priorityMailbox sorts what waits. Those who send do not take part in that: they
// append to a queue, and who runs the actor moves it to the heap.
type priorityMailbox struct {
	arrived queue.Queue[MessageEnvelope]
	sorted  byPriority // of whoever runs the actor
	count   uint64     // of messages that were sorted
}

// sortedAtOnce is how many messages are sorted in before one is taken out.
const sortedAtOnce = 256

func (p *priorityMailbox) push(env MessageEnvelope, _ bool) (out MessageEnvelope, full bool) {
	p.arrived.Push(env)
	return out, false
}

func (p *priorityMailbox) pop() (env MessageEnvelope, ok bool) {
	// Not all at once: senders may be faster, and the first has to come out.
	for n := 0; n < sortedAtOnce || len(p.sorted) == 0; n++ {
		arrived, more := p.arrived.Pop()
		if !more {
			break
		}
		p.count++
		heap.Push(&p.sorted, prioritized{arrived, priorityOf(arrived.Message), p.count})
	}
	if len(p.sorted) == 0 {
		return env, false
	}
	first, _ := heap.Pop(&p.sorted).(prioritized)
	if len(p.sorted) == 0 && cap(p.sorted) > keptRing {
		p.sorted = nil
	}
	return first.env, true
}

// pushed is asked after pop found nothing: the heap is empty.
func (p *priorityMailbox) pushed() bool { return p.arrived.Pushed() }

func (p *priorityMailbox) length() int { return len(p.sorted) + p.arrived.Len(mostCounted) }

func priorityOf(message any) (priority int) {
	defer func() {
		if recover() != nil { // it is the message that is wrong, not its receiver
			priority = 0
		}
	}()
	switch m := message.(type) {
	case *PoisonPill, *receiveTick:
		return math.MinInt
	case PriorityMessage:
		return m.Priority()
	default:
		return 0
	}
}

type prioritized struct {
	env      MessageEnvelope
	priority int
	count    uint64
}

// byPriority is a heap whose first is the next to be handled.
type byPriority []prioritized

// Len implements heap.Interface.
func (h *byPriority) Len() int { return len(*h) }

// Swap implements heap.Interface.
func (h *byPriority) Swap(i, j int) { (*h)[i], (*h)[j] = (*h)[j], (*h)[i] }

// Less implements heap.Interface.
func (h *byPriority) Less(i, j int) bool {
	a, b := &(*h)[i], &(*h)[j]
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	return a.count < b.count
}

// Push implements heap.Interface.
func (h *byPriority) Push(x any) {
	p, _ := x.(prioritized)
	*h = append(*h, p)
}

// Pop implements heap.Interface.
func (h *byPriority) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = prioritized{}
	*h = (*h)[:last]
	return p
}
