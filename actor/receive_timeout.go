package actor

import "time"

// receiveTimer waits for silence. It is armed when the actor has nothing to do
// and at the end of a turn, not at each message, so that a busy actor pays next to
// nothing for it.
type receiveTimer struct {
	after    time.Duration // 0: off
	active   bool          // something happened since it was armed
	deadline time.Time     // of the arming that counts
	timer    *time.Timer
}

// SetReceiveTimeout implements [Context].
func (c *cell) SetReceiveTimeout(d time.Duration) {
	if d <= 0 {
		c.CancelReceiveTimeout()
		return
	}
	if c.life < lifeStopping && !c.mute {
		t := &c.extra().timer
		t.after, t.active = d, true
	}
}

// CancelReceiveTimeout implements [Context].
func (c *cell) CancelReceiveTimeout() {
	if c.extras == nil {
		return
	}
	t := &c.extras.timer
	if t.timer != nil {
		t.timer.Stop()
	}
	t.after, t.active = 0, false
}

// ReceiveTimeout implements [Context].
func (c *cell) ReceiveTimeout() time.Duration {
	if c.extras == nil {
		return 0
	}
	return c.extras.timer.after
}

// notice takes account of a user message.
func (t *receiveTimer) notice(message any) {
	if t.after == 0 || t.active {
		return
	}
	if _, quiet := message.(NotInfluenceReceiveTimeout); !quiet {
		t.active = true
	}
}

// armReceiveTimer starts the wait anew if something happened.
func (c *cell) armReceiveTimer() {
	if c.extras == nil || !c.extras.timer.active {
		return
	}
	t := &c.extras.timer
	t.active = false
	t.deadline = time.Now().Add(t.after)
	if t.timer == nil {
		t.timer = time.AfterFunc(t.after, func() {
			c.SendUserMessage(&c.pid, MessageEnvelope{Message: tickMessage})
		})
		return
	}
	t.timer.Reset(t.after)
}

// receiveTick delivers the timeout, unless the tick belongs to an earlier arming.
func (c *cell) receiveTick() {
	if c.extras == nil {
		return
	}
	if t := &c.extras.timer; t.after > 0 && !t.active && !time.Now().Before(t.deadline) {
		c.deliver(receiveTimeoutMessage)
	}
}
