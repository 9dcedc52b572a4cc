package actortest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
)

// shutdownPatience is how long the actors of a test have to stop at its end.
const shutdownPatience = 10 * time.Second

// NewSystem returns an actor system that logs to the test and is shut down when the
// test ends. Actors that do not stop within ten seconds fail the test, by their
// names. opts come after the logger, and may replace it.
func NewSystem(t testing.TB, opts ...actor.SystemOption) *actor.ActorSystem {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	system := actor.NewActorSystem(append([]actor.SystemOption{actor.WithLogger(logger)}, opts...)...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		if err := system.ShutdownContext(ctx); err != nil {
			t.Error(err)
		}
	})
	return system
}
