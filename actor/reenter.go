package actor

// Continuation is what an actor gets in its mailbox when a future is complete
// that it has given to [Context.ReenterAfter]. No actor sees it: Receive is not
// called for it. Middleware does, as the message that it hands on, and may keep
// it from running.
type Continuation struct {
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
	k := &Continuation{asked: c.env, run: continuation, generation: c.extra().generation}
	f.onComplete(func(result any, err error) {
		k.result, k.err = result, err
		c.SendUserMessage(&c.pid, MessageEnvelope{Message: k})
	})
}

// reenter begins the turn of a continuation, unless its instance is gone.
func (c *cell) reenter(k *Continuation) {
	if k.generation != c.extra().generation {
		c.system.DeadLetter(&c.pid, MessageEnvelope{Message: k}, DeadLetterRestarted)
		return
	}
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
