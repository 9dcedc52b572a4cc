package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

const plainIdle = time.Minute // of the kind Plain

// plain is what the actor of a test, written by hand, does at its start and at a word.
type plain struct {
	start func(ctx actor.Context)
	word  func(ctx actor.Context, word string)
	props []actor.PropsOption

	told chan time.Time
	ends chan cluster.DeactivationReason
}

func (p *plain) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		if p.start != nil {
			p.start(ctx)
		}
	case *actor.ReceiveTimeout:
		p.told <- time.Now()
	case *wrapperspb.StringValue:
		if p.word != nil {
			p.word(ctx, m.Value)
		}
		ctx.Respond(m)
	}
}

// member starts a member with the kind, which is passivated; leased if the kind is to be.
func (p *plain) member(b *bubble, leased bool) *cluster.Cluster {
	p.told, p.ends = make(chan time.Time, 10), make(chan cluster.DeactivationReason, 10)
	kind := cluster.NewKind("Plain", actor.PropsFromProducer(func() actor.Actor { return p }, p.props...), cluster.WithPassivation(plainIdle))
	observer := cluster.WithObserver(&cluster.Observer{Deactivated: func(_ driver.Identity, why cluster.DeactivationReason) { p.ends <- why }})
	if leased {
		return b.leasedProcess(kind, observer)
	}
	return b.process(kind, observer)
}

func (p *plain) call(t *testing.T, c *cluster.Cluster, word string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	want := wrapperspb.String(word)
	if got, err := c.CallContext(ctx, "a", "Plain", want); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, %v", word, got, err)
	}
}

// wantEnd fails unless the grain has ended, or has not, and if it has because it was idle.
func (p *plain) wantEnd(t *testing.T, want bool) {
	t.Helper()
	synctest.Wait()
	select {
	case why := <-p.ends:
		if !want || why != cluster.DeactivatedIdle {
			t.Errorf("it ended: %v", why)
		}
	default:
		if want {
			t.Error("it is active")
		}
	}
}

func setsTimeout(d time.Duration) func(ctx actor.Context) {
	return func(ctx actor.Context) { ctx.SetReceiveTimeout(d) }
}

// A grain whose actor was written by hand is passivated like a generated one, unless the actor, or a
// middleware before it, has set a receive timeout, or none: then it is told of that, or of nothing.
func TestPassivationOfPlainActors(t *testing.T) {
	before := actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.Context, env *actor.MessageEnvelope) {
			if _, ok := env.Message.(*actor.Started); ok {
				setsTimeout(plainIdle / 2)(ctx)
			}
			next(ctx, env)
		}
	})
	decorated := actor.WithContextDecorator(func(next actor.ContextDecoratorFunc) actor.ContextDecoratorFunc {
		return func(ctx actor.Context) actor.Context {
			setsTimeout(plainIdle / 2)(ctx)
			return next(ctx)
		}
	})
	for name, test := range map[string]struct {
		plain plain
		told  time.Duration // after which silence the actor is told; 0 for never
		ends  bool
	}{
		"without a timeout of its own":  {ends: true},
		"with an earlier one":           {plain: plain{start: setsTimeout(plainIdle / 2)}, told: plainIdle / 2},
		"with the same":                 {plain: plain{start: setsTimeout(plainIdle)}, told: plainIdle},
		"with a later one":              {plain: plain{start: setsTimeout(2 * plainIdle)}, told: 2 * plainIdle},
		"which cancels it":              {plain: plain{start: actor.Context.CancelReceiveTimeout}},
		"behind a middleware with one":  {plain: plain{props: []actor.PropsOption{before}}, told: plainIdle / 2},
		"with a decorator that has one": {plain: plain{props: []actor.PropsOption{decorated}}, told: plainIdle / 2},
	} {
		for _, leased := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, leased %t", name, leased), func(t *testing.T) {
				inBubble(t, func(t *testing.T, b *bubble) {
					p := test.plain
					member := p.member(b, leased)
					for range 3 { // a message begins the time anew
						p.call(t, member, "x")
						time.Sleep(plainIdle / 3)
					}
					p.call(t, member, "x")
					last := time.Now()
					time.Sleep(3 * plainIdle)
					p.wantEnd(t, test.ends)
					told := time.Duration(0)
					select {
					case at := <-p.told:
						told = at.Sub(last)
					default:
					}
					if told != test.told {
						t.Errorf("it was told after %v; want %v", told, test.told)
					}
					p.call(t, member, "x") // here, or anew
				})
			})
		}
	}
}

// An instance that comes after a failure is passivated like the first, whatever that had set.
func TestPassivationAfterAPanic(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p := &plain{word: func(ctx actor.Context, word string) {
			if word == "panic" {
				ctx.CancelReceiveTimeout()
				panic("on purpose")
			}
		}}
		member := p.member(b, false)
		p.call(t, member, "x")
		if _, err := member.Call("a", "Plain", wrapperspb.String("panic"), cluster.WithTimeout(time.Second), cluster.WithRetry(0)); err == nil {
			t.Error("it did not panic")
		}
		p.call(t, member, "x")
		p.wantEnd(t, false)
		time.Sleep(2 * plainIdle)
		p.wantEnd(t, true)
	})
}

// A grain that has put messages aside, or has a continuation to come, is not idle.
func TestPassivationOfAGrainThatWaits(t *testing.T) {
	for name, wait := range map[string]func(ctx actor.Context, word string){
		"stash": func(ctx actor.Context, word string) {
			switch word {
			case "wait":
				if err := ctx.Stash(); err != nil {
					panic(err)
				}
			case "go on":
				ctx.UnstashAll()
			}
		},
		"continuation": func(ctx actor.Context, word string) {
			if word == "wait" {
				ctx.ReenterAfter(actor.NewFuture(ctx.ActorSystem(), 3*plainIdle), func(any, error) {})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				waited := false
				p := &plain{word: func(ctx actor.Context, word string) {
					if word != "wait" || !waited {
						waited = waited || word == "wait"
						wait(ctx, word)
					}
				}}
				member := p.member(b, false)
				pid, err := member.GetContext(t.Context(), "a", "Plain")
				if err != nil {
					t.Fatal(err)
				}
				member.ActorSystem().Root.Send(pid, wrapperspb.String("wait"))
				time.Sleep(2 * plainIdle)
				p.wantEnd(t, false)
				time.Sleep(plainIdle + plainIdle/2) // the continuation has come
				if name == "stash" {
					p.call(t, member, "go on")
				}
				p.wantEnd(t, false)
				time.Sleep(2 * plainIdle)
				p.wantEnd(t, true)
			})
		})
	}
}
