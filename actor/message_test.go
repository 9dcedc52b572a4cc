package actor_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
)

func TestEnvelopeCarriesHeaderAndSender(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		show := actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				r.add(ctx.Message())
				r.add(ctx.MessageHeader().Get("k"))
				r.add(ctx.Sender())
			}
		})
		sender := s.NewLocalPID("sender")
		pid := s.Root.Spawn(show)
		relay := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				ctx.Forward(pid)
			}
		}))
		env := &actor.MessageEnvelope{Header: actor.MessageHeader{"k": "v"}, Message: "m", Sender: sender}
		s.Root.Send(pid, env)
		r.want(t, "m", "v", "nonhost/sender")
		s.Root.Send(relay, env)
		r.want(t, "m", "v", "nonhost/sender")
		s.Root.RequestWithCustomSender(relay, env, s.NewLocalPID("other"))
		r.want(t, "m", "v", "nonhost/other")
		s.Root.Send(pid, "plain")
		r.want(t, "plain", "", "<nil>")
	})
}

func TestMessageHeader(t *testing.T) {
	h := actor.MessageHeader{"b": "2", "a": "1"}
	if got := h.Keys(); !slices.Equal(got, []string{"a", "b"}) || h.Get("a") != "1" || h.Get("x") != "" {
		t.Fatal(got)
	}
	if got := actor.MessageHeader(nil); got.Get("a") != "" || len(got.Keys()) != 0 {
		t.Fatal(got)
	}
}

func TestTerminatedReasonString(t *testing.T) {
	for reason, want := range map[actor.TerminatedReason]string{
		actor.TerminatedReasonStopped:           "stopped",
		actor.TerminatedReasonAddressTerminated: "address terminated",
		actor.TerminatedReasonNotFound:          "not found",
		99:                                      "unknown reason",
	} {
		if got := reason.String(); got != want {
			t.Errorf("%d: %q", reason, got)
		}
	}
}

// embellished is what another package's context looks like.
type embellished struct {
	actor.Context
	extra string
}

func TestMiddlewareOrderReplacementAndContext(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		outer := func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(ctx actor.Context, env *actor.MessageEnvelope) {
				if env.Message == "drop" {
					return
				}
				r.add("outer " + describe(env.Message))
				next(&embellished{ctx, "extra"}, env)
			}
		}
		guard := func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(ctx actor.Context, env *actor.MessageEnvelope) {
				if env.Message != "kept from all" {
					next(ctx, env)
				}
			}
		}
		inner := func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(ctx actor.Context, env *actor.MessageEnvelope) {
				if env.Message == "replace" {
					env = &actor.MessageEnvelope{Message: "replaced"}
				}
				next(ctx, env)
			}
		}
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if e, ok := ctx.(*embellished); ok {
				r.add(describe(ctx.Message()) + " " + e.extra)
			}
		}, actor.WithReceiverMiddleware(outer, inner), actor.WithOutermostMiddleware(guard)))
		r.want(t, "outer Started", "Started extra")
		s.Root.Send(pid, "drop")
		r.want(t)
		s.Root.Send(pid, "kept from all")
		r.want(t)
		s.Root.Send(pid, "replace")
		r.want(t, "outer replace", "replaced extra")
		s.Root.Stop(pid)
		r.want(t, "outer Stopping", "Stopping extra", "outer Stopped", "Stopped extra")
	})
}

// Messages of one sender arrive in order, one at a time, and none is lost.
func TestMailboxOrderUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actor.NewActorSystem(actor.WithLogger(discard))
		defer s.Shutdown()
		const senders, each = 8, 5000
		type numbered struct{ sender, n int }
		var next [senders]int // the actor's: the race detector watches
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(numbered); ok {
				if m.n != next[m.sender] {
					t.Errorf("sender %d: got %d, want %d", m.sender, m.n, next[m.sender])
				}
				next[m.sender]++
			}
		}))
		var wg sync.WaitGroup
		for sender := range senders {
			wg.Go(func() {
				for n := range each {
					s.Root.Send(pid, numbered{sender, n})
				}
			})
		}
		wg.Wait()
		if err := s.Root.PoisonFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		for sender, n := range next {
			if n != each {
				t.Errorf("sender %d: %d of %d arrived", sender, n, each)
			}
		}
	})
}

// Every message to an actor that is stopped meanwhile is either handled or a
// dead letter.
func TestNoMessageIsLostAtAStop(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			s := actor.NewActorSystem(actor.WithLogger(discard))
			defer s.Shutdown()
			var mu sync.Mutex
			handled, dead := 0, 0
			actor.SubscribeTo(s.EventStream, func(*actor.DeadLetterEvent) {
				mu.Lock()
				defer mu.Unlock()
				dead++
			})
			pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
				if ctx.Message() == "m" {
					handled++
				}
			}))
			const senders, each = 4, 100
			var wg sync.WaitGroup
			for i := range senders {
				wg.Go(func() {
					for n := range each {
						s.Root.Send(pid, "m")
						if i == 0 && n == each/2 {
							s.Root.Stop(pid)
						}
					}
				})
			}
			wg.Wait()
			synctest.Wait()
			if handled+dead != senders*each {
				t.Fatalf("%d handled and %d dead letters of %d", handled, dead, senders*each)
			}
		})
	}
}

// A handler that blocks holds nobody up but its own actor.
func TestBlockedHandlersFreezeNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		gate := make(chan struct{})
		for range 1000 {
			s.Root.Send(s.Root.Spawn(doer(&recorder{})), do(func(actor.Context) { <-gate }))
		}
		if got, err := s.Root.RequestFuture(s.Root.Spawn(answering("yes")), "alive?", 0).Result(); got != "yes" {
			t.Fatal(got, err)
		}
		close(gate)
	})
}
