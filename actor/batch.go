package actor

// MessageBatch is several messages sent as one. The actor handles them one by
// one, as if each had been sent with the batch's sender and header, and nobody
// else's messages come between. A nil among them is a dead letter.
type MessageBatch struct {
	Messages []any
}

// AutoRespond is implemented by messages that are answered when they have been
// handled, such as those whose sender wants to know only that they were. If the
// handler fails there is no answer.
type AutoRespond interface {
	// GetAutoResponse returns the answer. It is called in the actor, after
	// Receive has returned, and only if the message has a sender.
	GetAutoResponse(ctx Context) any
}

// unpack puts the messages of a batch before the mailbox.
func (c *cell) unpack(batch *MessageBatch, env MessageEnvelope) {
	if batch == nil {
		c.system.DeadLetter(&c.pid, env, DeadLetterNilMessage)
		return
	}
	envs := make([]MessageEnvelope, 0, len(batch.Messages))
	for _, m := range batch.Messages {
		one := envelopeOf(m, nil)
		if one.Header == nil {
			one.Header = env.Header
		}
		if one.Sender == nil {
			one.Sender = env.Sender
		}
		if one.Message == nil {
			c.system.DeadLetter(&c.pid, one, DeadLetterNilMessage)
			continue
		}
		envs = append(envs, one)
	}
	c.handleFirst(envs)
}

func (c *cell) autoRespond(ctx Context) {
	if c.extras != nil && c.extras.stashed {
		return // it is still to be handled
	}
	if m, ok := c.env.Message.(AutoRespond); ok {
		ctx.Respond(m.GetAutoResponse(ctx))
	}
}
