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
	sub.active.Store(true)
	es.mu.Lock()
	defer es.mu.Unlock()
	all := append(slices.Clone(es.all()), sub)
	es.subs.Store(&all)
	return sub
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
// actor, if it is one of this process, has stopped.
func SubscribeActor[T any](system *ActorSystem, pid *PID) *Subscription {
	var sub atomic.Pointer[Subscription]
	sub.Store(SubscribeTo(system.EventStream, func(event T) {
		if pid == nil || pid.resolve(system.ProcessRegistry) == system.ProcessRegistry.deadLetter {
			system.EventStream.Unsubscribe(sub.Load())
			return
		}
		system.send(pid, envelopeOf(event, nil)) // which waits for nobody
	}))
	return sub.Load()
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
