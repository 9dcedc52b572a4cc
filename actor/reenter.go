package actor

// Continuation is what an actor gets in its mailbox when a future is complete
// that it has given to [Context.ReenterAfter]. No actor sees it: Receive is not
// called for it. Middleware does, as the message that it hands on, and may keep
// it from running.
type Continuation struct {
	cell       *cell
	asked      MessageEnvelope
	result     any
	err        error
	run        func(result any, err error)
	generation uint32 // of the instance that waits
}

// Asked returns the message that was being handled when the actor began to
// wait, with its sender and header.
func (k *Continuation) Asked() MessageEnvelope { return k.asked }

// ReenterAfter implements [Context].
func (c *cell) ReenterAfter(f *Future, continuation func(result any, err error)) {
	if f == nil || continuation == nil {
		panic("actor: ReenterAfter needs a future and a continuation")
	}
	k := &Continuation{cell: c, asked: c.env, run: continuation, generation: c.generation.now()}
	f.onComplete(func(result any, err error) {
		k.result, k.err = result, err
		c.SendUserMessage(&c.pid, MessageEnvelope{Message: k})
	})
}

// reenter begins the turn of a continuation, unless its instance is gone, or it is
// nobody's or somebody else's.
func (c *cell) reenter(k *Continuation) {
	if k == nil || k.cell != c || k.generation != c.generation.now() {
		c.system.DeadLetter(&c.pid, MessageEnvelope{Message: k}, DeadLetterRestarted)
		return
	}
	c.extra().turn.continued = true
	if c.props.receive == nil {
		c.goOn(k)
		return
	}
	c.env = MessageEnvelope{Message: k, Header: k.asked.Header}
	c.invoke()
}

// goOn runs a continuation, where its middleware ends. The message is again the
// one that was being handled.
func (c *cell) goOn(k *Continuation) {
	c.env = k.asked
	k.run(k.result, k.err)
}
