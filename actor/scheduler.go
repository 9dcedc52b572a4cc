package actor

import (
	"sync"
	"time"
)

// TimerScheduler sends messages later, or again and again. It may be used by any
// goroutine. It has no goroutine of its own, and needs no end.
type TimerScheduler struct {
	sender *RootContext
}

// CancelFunc ends what a [TimerScheduler] was asked for. A message that is being
// sent at the moment may still arrive. Called again it does nothing.
type CancelFunc func()

// NewTimerScheduler returns a scheduler that sends by the given root context, as
// [ActorSystem.Root].
func NewTimerScheduler(sender *RootContext) *TimerScheduler {
	return &TimerScheduler{sender: sender}
}

// SendOnce sends message to pid after delay, at once if that is 0 or less.
func (s *TimerScheduler) SendOnce(delay time.Duration, pid *PID, message any) CancelFunc {
	return s.RequestOnce(delay, pid, message, nil)
}

// RequestOnce is SendOnce with a sender, who receives the answer.
func (s *TimerScheduler) RequestOnce(delay time.Duration, pid *PID, message any, sender *PID) CancelFunc {
	t := &scheduled{scheduler: s, pid: pid, message: message, sender: sender}
	return t.begin(delay)
}

// SendRepeatedly sends message to pid after delay and then once in each interval.
// When the message itself is held up on its way, as by [OverflowWait], what was
// missed is left out, and the rhythm is kept. It ends by itself
// when an actor of this process that is pid has stopped, or the system is shut
// down. An interval of 0 or less is [ErrInterval], and nothing is sent.
func (s *TimerScheduler) SendRepeatedly(delay, interval time.Duration, pid *PID, message any) (CancelFunc, error) {
	return s.RequestRepeatedly(delay, interval, pid, message, nil)
}

// RequestRepeatedly is SendRepeatedly with a sender, who receives the answers.
func (s *TimerScheduler) RequestRepeatedly(delay, interval time.Duration, pid *PID, message any, sender *PID) (CancelFunc, error) {
	if interval <= 0 {
		return func() {}, ErrInterval
	}
	t := &scheduled{scheduler: s, pid: pid, message: message, sender: sender, interval: interval}
	return t.begin(delay), nil
}

// scheduled is a message that is sent later.
type scheduled struct {
	scheduler *TimerScheduler
	pid       *PID
	message   any
	sender    *PID
	interval  time.Duration // 0: once
	cell      *cell         // who is pid, if that is an actor of this process

	mu    sync.Mutex
	timer *time.Timer // guarded by mu
	due   time.Time   // guarded by mu
	over  bool        // guarded by mu
}

func (t *scheduled) begin(delay time.Duration) CancelFunc {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.interval > 0 && t.pid != nil {
		t.cell, _ = t.pid.resolve(t.scheduler.sender.system.ProcessRegistry).(*cell)
	}
	delay = max(delay, 0)
	t.due = time.Now().Add(delay)
	t.timer = time.AfterFunc(delay, t.fire)
	return t.cancel
}

func (t *scheduled) cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.timer.Stop()
}

// fire sends, and sets the timer anew only then: a sender that is held up does
// not let messages pile up.
func (t *scheduled) fire() {
	gone := t.gone()
	if t.isOver() {
		return
	}
	if gone && t.cell != nil {
		t.cell.SendUserMessage(t.pid, envelopeOf(t.message, t.sender)) // and to nobody who has its name
	} else {
		t.scheduler.sender.RequestWithCustomSender(t.pid, t.message, t.sender)
	}
	if t.interval > 0 && !gone { // else the message has told of it
		t.again()
	}
}

// gone reports whether the actor that was to be sent to has stopped, whoever has its
// name by now.
func (t *scheduled) gone() bool {
	registry := t.scheduler.sender.system.ProcessRegistry
	return t.cell != nil && t.cell.door.Load() == shut || t.cell == nil && (t.pid == nil || t.pid.resolve(registry) == registry.deadLetter)
}

func (t *scheduled) isOver() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over || t.scheduler.sender.system.stopped.Load()
}

func (t *scheduled) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	now := time.Now()
	t.due = t.due.Add(t.interval)
	if late := now.Sub(t.due); late > 0 {
		t.due = t.due.Add(late.Truncate(t.interval) + t.interval)
	}
	t.timer.Reset(t.due.Sub(now))
}
