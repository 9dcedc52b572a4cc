package driver

import (
	"context"
	"fmt"
	"time"
)

// Lease is a member's right to host kinds that are [Leased] or [Strict], as
// far as its own clock can tell. It is renewed as long as the provider can be
// reached; once it has ended it never comes back, and the member joins again
// under a new id. Its methods may be called from several goroutines.
type Lease interface {
	// Valid reports whether the member may act at this moment. It reads a
	// clock that counts the time a machine sleeps; it asks nobody, and is
	// cheap enough for every message. No other member takes this one for dead
	// while it is true, as long as the rates of their clocks differ by less
	// than a tenth.
	Valid() bool
	// Phase gives the phase at this moment.
	Phase() LeasePhase
	// Watch waits until the phase differs from last, and returns it; or the
	// context's error, or [ErrClosed] after the session was closed.
	Watch(ctx context.Context, last LeasePhase) (LeasePhase, error)
}

// LeaseMargin is implemented by a [Lease] that tells how much is left of it, for
// those who watch over the members.
type LeaseMargin interface {
	// Margin is how long the lease is valid if it is not renewed; 0 once it has
	// ended.
	Margin() time.Duration
}

// LeasePhase is how much of a lease is left.
type LeasePhase uint8

const (
	// LeaseValid: the last renewal is recent.
	LeaseValid LeasePhase = iota
	// LeaseDraining: renewals have failed for 0.6 of the lease time. The
	// member takes no new activation of a leased kind; those it has go on. A
	// renewal makes the lease valid again.
	LeaseDraining
	// LeaseFenced: 0.9 of the lease time have passed since the last renewal
	// that succeeded was begun, or the provider has given the lease up.
	LeaseFenced
)

// String gives the phase as it is written in logs.
func (p LeasePhase) String() string {
	switch p {
	case LeaseValid:
		return "valid"
	case LeaseDraining:
		return "draining"
	case LeaseFenced:
		return "fenced"
	default:
		return fmt.Sprintf("phase(%d)", uint8(p))
	}
}
