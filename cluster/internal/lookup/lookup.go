package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// Errors of a resolve. They come when the context is done, joined with its error: until then a lookup waits for what it
// needs.
var (
	// ErrNoView: no view has come from the membership provider yet.
	ErrNoView = errors.New("lookup: no view of the cluster yet")
	// ErrNoHost: no active member of the view hosts the kind.
	ErrNoHost = errors.New("lookup: no member hosts the kind")
	// ErrNotYet: nobody could say yet, or takes the activation now.
	ErrNotYet = errors.New("lookup: the grain has no place yet")
	// ErrNoAnswer: the member that was asked did not answer.
	ErrNoAnswer = errors.New("lookup: no answer from the member asked")
	// ErrClosed: the lookup has been closed.
	ErrClosed = errors.New("lookup: it is closed")
	// ErrFailed is what Config.Failed is told.
	ErrFailed = errors.New("lookup: an actor of it has ended")
)

// Activator starts activations on this member. It is called by one goroutine at a time and must not wait.
type Activator interface {
	// Activate starts an activation and returns its PID. The lookup watches the PID: when it has stopped, so has the
	// activation. header is that of the question that caused it, nil if it had none.
	Activate(id driver.Identity, f driver.Fence, header actor.MessageHeader) *actor.PID
}

// Activation says where an identity lives.
type Activation struct {
	Member driver.Member
	Fence  driver.Fence
}

// Config is what every lookup needs to know.
type Config struct {
	System *actor.ActorSystem
	// Self is this member's id; empty for a client.
	Self driver.MemberID
	// Activator is nil for a client.
	Activator Activator
	// Lease is this member's, by which it hosts kinds that are leased or strict; nil if it has none.
	Lease driver.Lease
	// Strategies choose the members of new activations, by the name that the view gives to a kind's. A kind whose
	// strategy is not among them is placed round robin. They are called by one goroutine at a time, must not wait, and
	// must not change what they are given. May be nil.
	Strategies map[string]placement.Pick
	// Refresh is told that a view of at least this epoch exists. It must not wait. May be nil.
	Refresh func(epoch uint64)
	// Failed is told, at most once, that one of the member's actors has ended before Close, which it cannot get over:
	// the member has to leave and join again. It gets an ErrFailed, must not wait, and must not call Close. May be nil.
	Failed func(err error)
	// Header gives the header of a question to a member, by the context of who asks; among those who share a question,
	// of the first. May be nil.
	Header func(ctx context.Context) actor.MessageHeader
	Logger *slog.Logger
}

// HeaderOf is the header of a question that is asked in ctx; nil if it has none.
func (c *Config) HeaderOf(ctx context.Context) actor.MessageHeader {
	if c.Header == nil {
		return nil
	}
	return c.Header(ctx)
}

// Failure is told once.
type Failure struct{ once sync.Once }

// Tell logs that an actor has ended, and tells Config.Failed. The cause is that of its panic; nil if it had none.
func (f *Failure) Tell(c *Config, actor string, cause any) {
	f.once.Do(func() {
		err := fmt.Errorf("%w: %s", ErrFailed, actor)
		if cause != nil {
			err = fmt.Errorf("%w: %v", err, cause)
		}
		c.Logger.Error("lookup: this member can place and host no more grains", "error", err)
		if c.Failed != nil {
			c.Failed(err)
		}
	})
}
