package actor

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// EventStream hands what is published to everyone who subscribed. It carries
// the system's own events ([*DeadLetterEvent], [*SupervisorEvent],
// [*SpawnFailedEvent]) and whatever else is published.
type EventStream struct {
	logger *slog.Logger
	mu     sync.Mutex // serialises writers of subs
	subs   atomic.Pointer[[]*Subscription]
}

// Subscription is one handler's place on an [EventStream].
type Subscription struct {
	handler func(event any)
	active  atomic.Bool
	over    func() bool // nil, or whether nobody listens any more
}

// NewEventStream returns an event stream of its own, apart from any system's. A
// nil logger means slog.Default().
func NewEventStream(logger *slog.Logger) *EventStream {
	if logger == nil {
		logger = slog.Default()
	}
	return &EventStream{logger: logger}
}

// Subscribe calls handler for everything that is published from now on, in the
// goroutine of the publisher and possibly in several at once. A handler must be
// quick: one with work to do sends the event to an actor. It may subscribe and
// unsubscribe, also itself. A panic of the handler is logged and harms nobody.
func (es *EventStream) Subscribe(handler func(event any)) *Subscription {
	sub := &Subscription{handler: handler}
	es.add(sub)
	return sub
}

func (es *EventStream) add(sub *Subscription) {
	sub.active.Store(true)
	es.mu.Lock()
	defer es.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(es.all()), func(s *Subscription) bool { return s.over != nil && s.over() })
	all = append(all, sub)
	es.subs.Store(&all)
}

// SubscribeTo is [EventStream.Subscribe] for the events of type T.
func SubscribeTo[T any](es *EventStream, handler func(event T)) *Subscription {
	return es.Subscribe(func(event any) {
		if e, ok := event.(T); ok {
			handler(e)
		}
	})
}

// SubscribeActor sends the events of type T to an actor, which may take its time
// with them: no publisher waits for it. The subscription ends by itself when the
// actor, if it is one of this process, has stopped. A restart does not end it: an
// actor that subscribes itself when it is started keeps the Subscription where its
// next instance finds it, or unsubscribes when it is told *[Restarting]. Dead letters
// of the subscriber's own are not sent to it.
func SubscribeActor[T any](system *ActorSystem, pid *PID) *Subscription {
	sub := &Subscription{over: func() bool { return true }}
	if pid == nil {
		return sub
	}
	process := pid.resolve(system.ProcessRegistry)
	if process == system.ProcessRegistry.deadLetter {
		return sub
	}
	sub.over = func() bool { return false }
	if c, ok := process.(*cell); ok {
		sub.over = func() bool { return c.door.Load() == shut }
	}
	sub.handler = func(event any) {
		if _, ok := event.(T); !ok {
			return
		}
		if sub.over() {
			system.EventStream.Unsubscribe(sub)
			return
		}
		if d, ok := event.(*DeadLetterEvent); ok && pid.Equal(d.PID) {
			return
		}
		process.SendUserMessage(pid, envelopeOf(event, nil)) // which waits for nobody
	}
	system.EventStream.add(sub)
	return sub
}

// Unsubscribe ends a subscription. A publisher that is about to call the handler
// in another goroutine may still do so. Nil and an ended subscription are
// ignored.
func (es *EventStream) Unsubscribe(sub *Subscription) {
	if sub == nil || !sub.active.Swap(false) {
		return
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(es.all()), func(s *Subscription) bool { return s == sub })
	es.subs.Store(&all)
}

// Publish calls the handler of every subscription and returns when all have
// returned.
func (es *EventStream) Publish(event any) {
	for _, sub := range es.all() {
		if sub.active.Load() {
			es.call(sub, event)
		}
	}
}

func (es *EventStream) all() []*Subscription {
	if p := es.subs.Load(); p != nil {
		return *p
	}
	return nil
}

func (es *EventStream) call(sub *Subscription, event any) {
	defer func() {
		if r := recover(); r != nil {
			es.logger.Error("actor: an event subscriber panicked", "event", typeName(event), "panic", r, "stack", stack())
		}
	}()
	sub.handler(event)
}
