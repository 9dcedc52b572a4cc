package actortest

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
)

// DefaultPatience is how long a probe waits for what is expected.
const DefaultPatience = 5 * time.Second

// Probe is an actor that keeps what it is sent, in order, until the test asks for
// it. It keeps *actor.Terminated of those it watches and of its children, but no
// other message of its own life. Its methods are for the goroutine of the test.
type Probe struct {
	t        testing.TB
	system   *actor.ActorSystem
	pid      *actor.PID
	patience time.Duration
	last     actor.MessageEnvelope // what was expected last
	equal    func(got, want any) bool

	mu      sync.Mutex
	queue   []actor.MessageEnvelope // guarded by mu
	arrived chan struct{}           // holds one: the queue has grown
}

// order is a message that makes a probe act, since only an actor itself can watch
// and spawn children.
type order struct {
	do   func(ctx actor.Context)
	done chan struct{}
}

// NewProbe returns a probe that lives in the given system.
func NewProbe(t testing.TB, system *actor.ActorSystem) *Probe {
	t.Helper()
	p := &Probe{t: t, system: system, patience: DefaultPatience, equal: equal, arrived: make(chan struct{}, 1)}
	p.pid = system.Root.SpawnPrefix(actor.PropsFromFunc(p.receive, actor.WithoutDefaults()), "probe")
	return p
}

// Subscribe returns a probe that is sent all events of type T of the system, such
// as *actor.DeadLetterEvent, from now on.
func Subscribe[T any](t testing.TB, system *actor.ActorSystem) *Probe {
	t.Helper()
	p := NewProbe(t, system)
	sub := actor.SubscribeTo(system.EventStream, func(event T) {
		p.keep(actor.MessageEnvelope{Message: event})
	})
	t.Cleanup(func() { system.EventStream.Unsubscribe(sub) })
	return p
}

// receive is the actor.
func (p *Probe) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Restarting:
	case *order:
		m.do(ctx)
		close(m.done)
	default:
		p.keep(actor.MessageEnvelope{Message: m, Sender: ctx.Sender(), Header: ctx.MessageHeader()})
	}
}

func (p *Probe) keep(env actor.MessageEnvelope) {
	p.mu.Lock()
	p.queue = append(p.queue, env)
	p.mu.Unlock()
	select {
	case p.arrived <- struct{}{}:
	default:
	}
}

// act has the actor do something, and waits until it is done.
func (p *Probe) act(do func(ctx actor.Context)) {
	p.t.Helper()
	o := &order{do, make(chan struct{})}
	p.system.Root.Send(p.pid, o)
	select {
	case <-o.done:
	case <-time.After(p.patience):
		p.t.Fatal("actortest: the probe has stopped")
	}
}

// PID returns the probe's PID, to be given to those under test.
func (p *Probe) PID() *actor.PID { return p.pid }

// SetPatience sets how long the probe waits for what is expected from now on.
func (p *Probe) SetPatience(d time.Duration) { p.patience = d }

// SetEqual sets what ExpectMessage and ExpectMessages take for equal from now on.
// Without it that are PIDs of one name, and what is deeply equal. For protobuf
// messages, which are not to be compared deeply, give
//
//	func(got, want any) bool { return proto.Equal(got.(proto.Message), want.(proto.Message)) }
func (p *Probe) SetEqual(equal func(got, want any) bool) { p.equal = equal }

func equal(got, want any) bool {
	if g, ok := got.(*actor.PID); ok {
		w, ok := want.(*actor.PID)
		return ok && g.Equal(w)
	}
	return reflect.DeepEqual(got, want)
}

// Send sends message to pid, without a sender.
func (p *Probe) Send(pid *actor.PID, message any) { p.system.Root.Send(pid, message) }

// Request sends message to pid; the probe receives the answer.
func (p *Probe) Request(pid *actor.PID, message any) {
	p.system.Root.RequestWithCustomSender(pid, message, p.pid)
}

// Reply answers the message that was expected last, to its sender. Without one it
// fails the test.
func (p *Probe) Reply(message any) {
	p.t.Helper()
	if p.last.Sender == nil {
		p.t.Fatalf("actortest: nobody to reply to: the last message, %s, has no sender", show(p.last.Message))
	}
	p.Send(p.last.Sender, message)
}

// Sender returns who sent the message that was expected last, or nil.
func (p *Probe) Sender() *actor.PID { return p.last.Sender }

// Header returns the header of the message that was expected last, or nil.
func (p *Probe) Header() actor.MessageHeader { return p.last.Header }

// Watch asks for *actor.Terminated when pid is gone: see [Probe.ExpectTerminated].
func (p *Probe) Watch(pid *actor.PID) {
	p.t.Helper()
	p.act(func(ctx actor.Context) { ctx.Watch(pid) })
}

// SpawnChild spawns an actor whose parent is the probe: a failure is decided about
// by the default strategy, and its end is expected by [Probe.ExpectTerminated].
func (p *Probe) SpawnChild(props *actor.Props) (pid *actor.PID) {
	p.t.Helper()
	p.act(func(ctx actor.Context) { pid = ctx.Spawn(props) })
	return pid
}

// next waits for a message until the deadline.
func (p *Probe) next(deadline time.Time) (env actor.MessageEnvelope, ok bool) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		if env, ok = p.pop(); ok {
			return env, true
		}
		select {
		case <-p.arrived:
		case <-timer.C:
			return p.pop() // what came at the last moment
		}
	}
}

func (p *Probe) pop() (env actor.MessageEnvelope, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return env, false
	}
	env = p.queue[0]
	p.queue = p.queue[1:]
	return env, true
}

func (p *Probe) expect(what func() string) any {
	p.t.Helper()
	env, ok := p.next(time.Now().Add(p.patience))
	if !ok {
		p.t.Fatalf("actortest: no message within %v, expected %s", p.patience, what())
	}
	p.last = env
	return env.Message
}

// Expect waits for the next message, which is to be a T, and returns it. If none
// comes, or one of another type, the test fails and ends.
func Expect[T any](p *Probe) T {
	p.t.Helper()
	what := fmt.Sprintf("a %v", reflect.TypeFor[T]())
	message := p.expect(func() string { return what })
	m, ok := message.(T)
	if !ok {
		p.t.Fatalf("actortest: got %s, expected %s", show(message), what)
	}
	return m
}

// Fish waits for a T for which match returns true, and returns it. Messages that
// come before it are dropped; if it does not come the failure names them.
func Fish[T any](p *Probe, match func(T) bool) T {
	p.t.Helper()
	var others []string
	deadline := time.Now().Add(p.patience)
	for {
		env, ok := p.next(deadline)
		if !ok {
			p.t.Fatalf("actortest: no such %v within %v; came: %s", reflect.TypeFor[T](), p.patience, list(others))
		}
		if m, is := env.Message.(T); is && match(m) {
			p.last = env
			return m
		}
		others = append(others, show(env.Message))
	}
}

// ExpectMessage waits for the next message, which is to be equal to want: see
// [Probe.SetEqual].
func (p *Probe) ExpectMessage(want any) {
	p.t.Helper()
	if got := p.expect(func() string { return show(want) }); !p.equal(got, want) {
		p.t.Fatalf("actortest: got %s, expected %s", show(got), show(want))
	}
}

// ExpectMessages waits for so many messages, which are to be equal to want in some
// order.
func (p *Probe) ExpectMessages(want ...any) {
	p.t.Helper()
	left := append([]any{}, want...)
	for len(left) > 0 {
		got := p.expect(func() string { return fmt.Sprintf("%s or one of %d", show(left[0]), len(left)) })
		i := 0
		for i < len(left) && !p.equal(got, left[i]) {
			i++
		}
		if i == len(left) {
			p.t.Fatalf("actortest: got %s, which is not among what is expected", show(got))
		}
		left = append(left[:i], left[i+1:]...)
	}
}

// ExpectNone fails the test if a message comes within d, or has come already.
func (p *Probe) ExpectNone(d time.Duration) {
	p.t.Helper()
	if env, ok := p.next(time.Now().Add(d)); ok {
		p.t.Fatalf("actortest: got %s, expected nothing", show(env.Message))
	}
}

// ExpectTerminated waits for the end of pid, which the probe watches or has spawned.
func (p *Probe) ExpectTerminated(pid *actor.PID) *actor.Terminated {
	p.t.Helper()
	end := Expect[*actor.Terminated](p)
	if !end.Who.Equal(pid) {
		p.t.Fatalf("actortest: %s has ended, expected %s", end.Who, pid)
	}
	return end
}

func show(message any) string { return fmt.Sprintf("%T(%+v)", message, message) }

func list(messages []string) string {
	if len(messages) == 0 {
		return "nothing"
	}
	return strings.Join(messages, ", ")
}
