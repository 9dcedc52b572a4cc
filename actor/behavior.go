package actor

// Behavior lets an actor change how it handles messages. It is a field of the
// actor, whose Receive calls the behavior's. The zero Behavior handles nothing.
// It belongs to its actor: it is gone with the instance when that is restarted,
// and no two goroutines use it.
type Behavior struct {
	stack []ReceiveFunc
}

// NewBehavior returns a behavior that handles nothing yet.
func NewBehavior() Behavior { return Behavior{} }

// Become replaces all that the behavior was.
func (b *Behavior) Become(receive ReceiveFunc) {
	clear(b.stack)
	b.stack = append(b.stack[:0], receive)
}

// BecomeStacked lets receive handle what comes, until UnbecomeStacked.
func (b *Behavior) BecomeStacked(receive ReceiveFunc) { b.stack = append(b.stack, receive) }

// UnbecomeStacked goes back to what the behavior was before the last
// BecomeStacked. The last one stays: UnbecomeStacked does nothing then.
func (b *Behavior) UnbecomeStacked() {
	if last := len(b.stack) - 1; last > 0 {
		b.stack[last] = nil
		b.stack = b.stack[:last]
	}
}

// Receive handles ctx.Message as the actor does at present. A message of the
// user's that meets a behavior without any is a dead letter.
func (b *Behavior) Receive(ctx Context) {
	if last := len(b.stack) - 1; last >= 0 && b.stack[last] != nil {
		b.stack[last](ctx)
		return
	}
	switch m := ctx.Message().(type) {
	case *Started, *Stopping, *Stopped, *Restarting, *ReceiveTimeout, *Terminated:
	default:
		ctx.cell().extra().turn.handedOn = true
		ctx.ActorSystem().DeadLetter(ctx.Self(),
			MessageEnvelope{Message: m, Sender: ctx.Sender(), Header: ctx.MessageHeader()}, DeadLetterNoBehavior)
	}
}
