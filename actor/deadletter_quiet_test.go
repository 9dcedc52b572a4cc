package actor

import (
	"bytes"
	"log/slog"
	"testing"
)

// What comes too late for somebody who waited for it is no news for operators.
func TestLateAnswersAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	system := NewActorSystem(WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	defer system.Shutdown()
	events := 0
	system.EventStream.Subscribe(func(ev any) {
		if _, dead := ev.(*DeadLetterEvent); dead {
			events++
		}
	})
	future := NewFuture(system, 0)
	future.Cancel()
	system.Root.Send(future.PID(), "late")
	system.Root.Send(system.NewLocalPID("gone"), &DeadLetterResponse{})
	if log.Len() > 0 || events != 2 {
		t.Errorf("%d events and the log %q; want 2 events and no log", events, log.String())
	}
	system.Root.Send(system.NewLocalPID("gone"), "news")
	if log.Len() == 0 {
		t.Error("a message to nobody is not logged")
	}
}
