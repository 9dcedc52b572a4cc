package remote

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
)

// wantReplyLost asks without a timeout. An answer that cannot cross is no dead
// letter: the request ran.
func (p *process) wantReplyLost(pid *actor.PID, message any, reason string) {
	p.t.Helper()
	f := p.system.Root.RequestFuture(pid, message, 0)
	select {
	case <-f.Done():
	case <-time.After(10 * time.Second):
		p.t.Errorf("the asker still waits; want: %s", reason)
		f.Cancel()
		return
	}
	_, err := f.Result()
	if !errors.Is(err, ErrReplyLost) || errors.Is(err, actor.ErrDeadLetter) || !strings.Contains(err.Error(), reason) {
		p.t.Errorf("got %v; want a lost reply: %s", err, reason)
	}
}

// answering spawns an actor that has one answer to every string.
func (p *process) answering(name string, answer any) *actor.PID {
	return p.spawn(name, func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(answer)
		}
	})
}

func TestAnswerThatCannotBeSent(t *testing.T) {
	inBubble(t, func(_ *testing.T, _ *memNetwork, a, b *process) {
		for name, test := range map[string]struct {
			answer any
			reason string
		}{
			"no message": {"a string", "string is no protobuf message"},
			"nil":        {nil, actor.DeadLetterNilMessage},
			"large":      {wrapperspb.Bytes(make([]byte, DefaultMaxMessageSize)), "the limit is"},
			"not UTF-8":  {text("\xff"), "UTF-8"},
			"reason":     {&actor.DeadLetterResponse{Reason: "\xff"}, "UTF-8"},
		} {
			a.wantReplyLost(b.answering(name, test.answer), text("x"), test.reason)
		}
	})
}

func TestAnswerThatIsTooLargeForTheAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a, b := startProcess(t, n.on("a", 1, WithMaxMessageSize(1000))), startProcess(t, n.on("b", 1))
		a.wantReplyLost(b.answering("large", wrapperspb.Bytes(make([]byte, 1000))), text("x"), "the limit is 1000")
	})
}

func TestAnswerThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		a.wantReplyLost(b.answering("unknown", unknownMessage(t)), text("x"), `no protobuf message "remote.test.Unknown"`)
		if _, ok := a.dead.wait(t, 1)[0].Message.(*Undecodable); !ok {
			t.Error("the answer is no dead letter")
		}
	})
}

// What is sent to an actor and cannot cross is no answer that it waits for.
func TestUnsendableMessageToAnActor(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		got := make(chan any, 10)
		pid := b.spawn("target", func(ctx actor.Context) { got <- ctx.Message() })
		<-got // Started
		a.system.Root.Send(pid, "a string")
		synctest.Wait()
		if len(got) > 0 {
			t.Errorf("the actor received %v", <-got)
		}
	})
}

// bomb is a process that panics.
type bomb struct{}

func (bomb) SendUserMessage(*actor.PID, actor.MessageEnvelope) { panic("boom") }
func (bomb) SendSystemMessage(*actor.PID, any)                 { panic("boom") }

func TestDeliveryThatPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		b.system.ProcessRegistry.Add(bomb{}, "bomb")
		a.wantReplyLost(b.at("bomb"), text("x"), "delivering the message panicked")
		for _, part := range []string{"peer=a:1", "target=b:1/bomb", "message=*wrapperspb.StringValue", "panic=boom", "bomb.SendUserMessage"} {
			if !b.logs.has(part) {
				t.Errorf("the log does not say %s", part)
			}
		}
		a.mustAsk(b.echo("echo"), "and the connection goes on")
	})
}
