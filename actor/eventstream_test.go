package actor_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
)

func TestEventStreamTypes(t *testing.T) {
	es := actor.NewEventStream(discard)
	var words []string
	var all int
	actor.SubscribeTo(es, func(s string) { words = append(words, s) })
	every := es.Subscribe(func(any) { all++ })
	es.Publish("one")
	es.Publish(2)
	es.Unsubscribe(every)
	es.Unsubscribe(every)
	es.Unsubscribe(nil)
	es.Publish("three")
	if strings.Join(words, " ") != "one three" || all != 2 {
		t.Fatalf("words %q, all %d", words, all)
	}
}

func TestEventStreamPanickingSubscriberHarmsNobody(t *testing.T) {
	log := &logBuffer{}
	es := actor.NewEventStream(log.logger())
	got := 0
	es.Subscribe(func(any) { got++ })
	es.Subscribe(func(any) { panic("subscriber") })
	es.Subscribe(func(any) { got++ })
	es.Publish("event")
	if got != 2 {
		t.Fatalf("%d of the others were called", got)
	}
	if !strings.Contains(log.String(), "panic=subscriber") {
		t.Fatalf("logged: %s", log)
	}
}

func TestEventStreamSubscriberThatEndsItself(t *testing.T) {
	es := actor.NewEventStream(discard)
	var sub *actor.Subscription
	calls, others := 0, 0
	sub = es.Subscribe(func(any) {
		calls++
		es.Unsubscribe(sub)
		es.Subscribe(func(any) { others++ })
	})
	es.Publish(1)
	es.Publish(2)
	if calls != 1 || others != 1 {
		t.Fatalf("called %d times, the one it subscribed %d times", calls, others)
	}
}

func TestEventStreamUnsubscribedByAnEarlierHandler(t *testing.T) {
	es := actor.NewEventStream(discard)
	var later *actor.Subscription
	es.Subscribe(func(any) { es.Unsubscribe(later) })
	later = es.Subscribe(func(any) { t.Error("called after it was unsubscribed") })
	es.Publish("event")
}

func TestEventStreamConcurrently(t *testing.T) {
	es := actor.NewEventStream(discard)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				sub := es.Subscribe(func(any) {})
				es.Publish(1)
				es.Unsubscribe(sub)
			}
		})
	}
	wg.Wait()
	called := false
	es.Subscribe(func(any) { called = true })
	es.Publish(1)
	if !called {
		t.Fatal("a subscription was lost")
	}
}

// An actor that takes its time with events holds up no publisher.
func TestSubscribeActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(doer(r, actor.WithMailbox(actor.Bounded(1, actor.OverflowWait))))
		gate := make(chan struct{})
		s.Root.Send(pid, do(func(actor.Context) { <-gate }))
		synctest.Wait()
		actor.SubscribeActor[string](s, pid)
		s.EventStream.Publish("a")
		s.EventStream.Publish(1)   // another type
		s.EventStream.Publish("b") // finds the mailbox full, and does not wait either
		close(gate)
		r.want(t, "Started", "a")
		dead.want(t, "dead letter b: mailbox full")
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		s.EventStream.Publish("c") // ends the subscription
		dead.want(t)
		actor.SubscribeActor[string](s, nil)
		s.EventStream.Publish("d")
		dead.want(t)
	})
}
