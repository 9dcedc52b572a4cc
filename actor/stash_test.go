package actor_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// opener stashes strings until it is told to open, and then records them with
// their sender and header.
type opener struct {
	r    *recorder
	open bool
}

type openUp struct{}

func (o *opener) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case openUp:
		o.open = true
		ctx.UnstashAll()
	case fall:
		panic(m.with)
	case string:
		if !o.open {
			if err := ctx.Stash(); err != nil {
				o.r.add(err)
			}
			return
		}
		from := "nobody"
		if ctx.Sender() != nil {
			from = ctx.Sender().Id
		}
		o.r.add(m + " from " + from + " " + ctx.MessageHeader().Get("h"))
	}
}

func openerProps(r *recorder, opts ...actor.PropsOption) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &opener{r: r} }, opts...)
}

func TestStashKeepsOrderSenderAndHeader(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(openerProps(r))
		s.Root.RequestWithCustomSender(pid, &actor.MessageEnvelope{Message: "a", Header: actor.MessageHeader{"h": "1"}}, s.NewLocalPID("x"))
		s.Root.Send(pid, "b")
		r.want(t)
		gate := make(chan struct{})
		busy := s.Root.Spawn(doer(&recorder{}))
		s.Root.Send(busy, do(func(ctx actor.Context) { // openUp, then c: the stash comes between
			ctx.Send(pid, openUp{})
			ctx.Send(pid, "c")
			close(gate)
		}))
		<-gate
		r.want(t, "a from x 1", "b from nobody ", "c from nobody ")
	})
}

// Messages that are stashed again while they come from the stash keep their order.
func TestStashAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		turns := 0
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			m, ok := ctx.Message().(string)
			if !ok {
				return
			}
			turns++
			switch {
			case m == "go":
				ctx.UnstashAll()
			case turns < 6:
				_ = ctx.Stash()
				if turns == 4 { // a is stashed again while b waits: unstashed, it comes before b
					ctx.UnstashAll()
				}
			default:
				r.add(m)
			}
		}))
		for _, m := range []string{"a", "b", "go"} {
			s.Root.Send(pid, m)
		}
		s.Root.Send(pid, "c")
		s.Root.Send(pid, "go")
		r.want(t, "b", "c", "a") // a was stashed a third time in turn 5
	})
}

func TestStashOutlivesARestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(openerProps(r))
		for _, m := range []any{"a", "b", fall{"boom"}, "c", openUp{}} {
			s.Root.Send(pid, m)
		}
		r.want(t, "a from nobody ", "b from nobody ", "c from nobody ")

		instances := 0 // the second is open from the beginning
		pid = s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			instances++
			return &opener{r: r, open: instances > 1}
		}))
		for _, m := range []any{"a", "b", fall{"boom"}, "c"} {
			s.Root.Send(pid, m)
		}
		r.want(t, "a from nobody ", "b from nobody ", "c from nobody ")
	})
}

func TestStashOfAnActorThatStops(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(openerProps(&recorder{}))
		s.Root.Send(pid, "a")
		asked := s.Root.RequestFuture(pid, "b", 0)
		s.Root.Poison(pid)
		dead.want(t, "dead letter a: stopped", "dead letter b: stopped")
		if err := asked.Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("the stashed request ends with", err)
		}
	})
}

func TestStashIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(openerProps(r, actor.WithStashCapacity(1)))
		s.Root.Send(pid, "a")
		s.Root.Send(pid, "b")
		r.want(t, actor.ErrStashFull.Error())
		dead.want(t, "dead letter b: stash full")
		none := s.Root.Spawn(openerProps(r, actor.WithStashCapacity(0)))
		s.Root.Send(none, "c")
		r.want(t, actor.ErrStashFull.Error())
		dead.want(t, "dead letter c: stash full")
	})
}

func TestWhatCannotBeStashed(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				if err := ctx.Stash(); err != nil {
					r.add("the first: " + err.Error())
				}
			}
			if err := ctx.Stash(); !errors.Is(err, actor.ErrNotStashable) {
				r.add(describe(ctx.Message()) + " was stashed")
			}
		}))
		s.Root.Send(pid, "once only")
		s.Root.Poison(pid)
		r.want(t)
	})
}

func TestMessageBatch(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(openerProps(r))
		gate := make(chan struct{})
		busy := s.Root.Spawn(doer(&recorder{}))
		s.Root.Send(busy, do(func(ctx actor.Context) {
			ctx.Send(pid, openUp{})
			ctx.RequestWithCustomSender(pid, &actor.MessageEnvelope{
				Message: &actor.MessageBatch{Messages: []any{"a", "b", &actor.MessageBatch{Messages: []any{"c", "d"}}, "e"}},
				Header:  actor.MessageHeader{"h": "1"},
			}, s.NewLocalPID("x"))
			ctx.Send(pid, (*actor.MessageBatch)(nil))
			ctx.Send(pid, &actor.MessageBatch{})
			ctx.Send(pid, "f")
			close(gate)
		}))
		<-gate
		r.want(t, "a from x 1", "b from x 1", "c from x 1", "d from x 1", "e from x 1", "f from nobody ")
		dead.heard(t, "dead letter <nil>: nil message", "dead letter &{[]}: nil message")
	})
}

type ack struct{ n int }

func (a ack) GetAutoResponse(ctx actor.Context) any {
	return sprint(a.n) + " handled by " + ctx.Self().Id
}

func TestAutoRespond(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(ack); ok {
				if m.n < 0 {
					panic("negative")
				}
				if m.n == 100 {
					_ = ctx.Stash()
				}
				r.add(m.n)
			}
		}))
		if answer, err := s.Root.RequestFuture(pid, ack{7}, 0).Result(); answer != "7 handled by "+pid.Id || err != nil {
			t.Error(answer, err)
		}
		s.Root.Send(pid, ack{8}) // nobody to answer
		failed, stashed := s.Root.RequestFuture(pid, ack{-1}, 0), s.Root.RequestFuture(pid, ack{100}, 0)
		r.want(t, "7", "8", "100")
		dead.want(t)
		for _, f := range []*actor.Future{failed, stashed} {
			select {
			case <-f.Done():
				t.Error("answered, but not handled")
			default:
			}
		}
	})
}

// A batch with nothing in it is refused as a whole, before a part of it runs.
func TestMessageBatchWithANil(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		for _, batch := range [][]any{{}, {"a", nil}, {"a", &actor.MessageEnvelope{}}, {(*actor.MessageEnvelope)(nil)}} {
			err := s.Root.RequestFuture(pid, &actor.MessageBatch{Messages: batch}, 0).Wait()
			if !errors.Is(err, actor.ErrDeadLetter) {
				t.Errorf("%v: %v", batch, err)
			}
		}
		r.want(t, "Started")
	})
}

// Who has sent a batch is not told that it did not run when a part of it has.
func TestMessageBatchOfAnActorThatStops(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(doer(r, actor.WithStashCapacity(1)))
		own := actor.NewFuture(s, 0)
		f := s.Root.RequestFuture(pid, &actor.MessageBatch{Messages: []any{
			do(func(ctx actor.Context) { ctx.Stop(ctx.Self()) }), "b",
			&actor.MessageEnvelope{Message: "c", Sender: own.PID()},
		}}, 0)
		dead.want(t, "dead letter b: stopped", "dead letter c: stopped")
		select {
		case <-f.Done():
			t.Error("the sender of the batch was told")
		default:
		}
		if err := own.Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("the sender of c alone:", err)
		}
	})
}

// A handler that fails after it has stashed its message has stashed nothing.
func TestStashAndFail(t *testing.T) {
	for name, also := range map[string]func(ctx actor.Context){
		"":              func(actor.Context) {},
		"and unstashed": func(ctx actor.Context) { ctx.UnstashAll() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				r, runs := &recorder{}, 0
				pid := s.Root.Spawn(doer(r))
				for range 2 {
					s.Root.Send(pid, do(func(ctx actor.Context) {
						if runs++; runs < 3 {
							_ = ctx.Stash()
						}
						if runs == 2 {
							also(ctx)
							panic("boom")
						}
						r.add(runs)
					}))
				}
				// The first was stashed in run 1, the second failed in run 2: the first
				// comes again in run 3, and the second does not.
				r.want(t, "Started", "1", "Restarting", "Started", "3")
			})
		})
	}
}

// A message that somebody else is to handle is answered by them.
func TestAutoRespondOfAForwardedMessage(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		last := s.Root.Spawn(recording(&recorder{}))
		first := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(ack); ok {
				ctx.Forward(last)
			}
		}))
		answers := &recorder{}
		asker := s.Root.Spawn(recording(answers))
		s.Root.RequestWithCustomSender(first, ack{7}, asker)
		answers.want(t, "Started", "7 handled by "+last.Id)
		full := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(ack); ok {
				_ = ctx.Stash()
			}
		}, actor.WithStashCapacity(0)))
		s.Root.RequestWithCustomSender(full, ack{8}, asker)
		answers.want(t, "undelivered to "+full.Id+": stash full") // and no answer besides
		dead.want(t, "dead letter {8}: stash full")
	})
}

// A failure at one of the system's messages takes nothing out of the stash.
func TestStashAndFailLater(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		watched := s.Root.Spawn(recording(&recorder{}))
		instances := 0
		pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			instances++
			first := instances == 1
			return actor.ReceiveFunc(func(ctx actor.Context) {
				switch m := ctx.Message().(type) {
				case *actor.Started:
					ctx.Watch(watched)
				case *actor.Terminated:
					if first {
						panic("boom")
					}
				case string:
					if first {
						_ = ctx.Stash()
						return
					}
					r.add(m)
				}
			})
		}))
		s.Root.Send(pid, "a")
		synctest.Wait()
		s.Root.Stop(watched)
		r.want(t, "a")
	})
}

// A batch that ends its actor says nothing about what others have sent.
func TestMessageBatchThatStopsTheActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		gate := make(chan struct{})
		pid := s.Root.Spawn(doer(&recorder{}))
		s.Root.Send(pid, do(func(actor.Context) { <-gate }))
		s.Root.Send(pid, &actor.MessageBatch{Messages: []any{"a", &actor.PoisonPill{}}})
		f := s.Root.RequestFuture(pid, "another's", time.Minute)
		close(gate)
		if err := f.Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error(err)
		}
	})
}
