package actor

import "slices"

// MessageBatch is several messages sent as one. The actor handles them one by
// one, as if each had been sent with the batch's sender and header, and nobody
// else's messages come between, unless one of them fails. A batch that is empty or
// has a nil in it is a dead letter as a whole. If the actor stops when it has
// handled some of them, the others are dead letters, but their sender is not told:
// a part of what it asked for has run.
type MessageBatch struct {
	Messages []any
}

// AutoRespond is implemented by messages that are answered when they have been
// handled, such as those whose sender wants to know only that they were. If the
// handler fails there is no answer, nor if it has stashed or forwarded the message:
// then who handles it in the end answers.
type AutoRespond interface {
	// GetAutoResponse returns the answer. It is called in the actor, after
	// Receive has returned, and only if the message has a sender.
	GetAutoResponse(ctx Context) any
}

// unpack puts the messages of a batch before the mailbox.
func (c *cell) unpack(batch *MessageBatch, env MessageEnvelope) {
	if batch == nil || len(batch.Messages) == 0 || slices.ContainsFunc(batch.Messages, isNothing) {
		c.system.DeadLetter(&c.pid, env, DeadLetterNilMessage)
		return
	}
	all := make([]parked, len(batch.Messages))
	for i, m := range batch.Messages {
		one := envelopeOf(m, nil)
		if one.Header == nil {
			one.Header = env.Header
		}
		inherits := one.Sender == nil
		if inherits {
			one.Sender = env.Sender
		}
		all[i] = parked{env: one, begun: inherits && (i > 0 || c.extras.turn.begun)}
	}
	c.handleFirst(all)
}

// isNothing reports whether there is no message in what was sent.
func isNothing(message any) bool { return envelopeOf(message, nil).Message == nil }

func (c *cell) autoRespond(ctx Context) {
	if c.extras != nil && c.extras.turn.handedOn {
		return
	}
	if m, ok := c.env.Message.(AutoRespond); ok {
		ctx.Respond(m.GetAutoResponse(ctx))
	}
}
