package driver

import (
	"context"
	"errors"
	"time"
)

// Errors of a [RecordStore].
var (
	// ErrConflict: the record has changed since it was read. Nothing was
	// written.
	ErrConflict = errors.New("driver: the view record has changed")
	// ErrLeaseLost: the liveness key is gone, for good.
	ErrLeaseLost = errors.New("driver: the liveness key is gone")
)

// RecordStore is one process's connection to the coordination service that
// keeps the membership of one cluster: the view record, one value under one
// key, and a liveness key for each member, which the service deletes when its
// lease time has passed without a renewal. What the record means, who writes
// it and when, is none of the store's business: package cluster/record does
// that for all of them, and makes a [Provider] of a store.
//
// The methods may be called from several goroutines, and return when their
// context is done. Errors other than the two above are passing ones; of a
// Write that failed with one it is unknown whether it happened.
type RecordStore interface {
	// Read reads the record and then, or in the same instant, which liveness
	// keys there are. Both reads are linearisable: they see every write that
	// had succeeded before Read was called, by whomever.
	Read(ctx context.Context) (Record, error)
	// Wait returns when the record or a liveness key may have changed since a
	// Read; nil says so. It may return too early, never not at all.
	Wait(ctx context.Context, since Record) error
	// Write replaces the record if it has not changed since a Read, and fails
	// with [ErrConflict] if it has.
	Write(ctx context.Context, since Record, data []byte) error
	// Register makes the liveness key of this process with its description,
	// bound to a lease of about ttl, and returns the time that the service
	// granted. It is called once, before Renew and Unregister.
	Register(ctx context.Context, id MemberID, data []byte, ttl time.Duration) (granted time.Duration, err error)
	// Renew renews the lease, once, and returns the time granted from now. The
	// service must not delete the key before that has passed since Renew was
	// called. It fails with [ErrLeaseLost] once the key is gone.
	Renew(ctx context.Context) (granted time.Duration, err error)
	// Unregister deletes the liveness key at once.
	Unregister(ctx context.Context) error
	// Close frees what the connection holds. It leaves the liveness key to its
	// lease.
	Close() error
}

// Record is what a [RecordStore] holds at one moment.
type Record struct {
	// Data is the view record; nil if there is none.
	Data []byte
	// Alive are the liveness keys with their descriptions.
	Alive map[MemberID][]byte
	// Version is the store's own, for Write and Wait.
	Version any
}

// ErrFenced is returned by a [FencedStore] to an activation that has a
// successor.
var ErrFenced = errors.New("driver: the activation has a successor")

// FencedStore keeps one value for each identity, such that only the newest
// activation that has opened it can write it. Implementations pass the tests
// of package cluster/drivertest. The methods may be called from several
// goroutines; a value is not changed by the caller or the store once it has
// been handed over.
type FencedStore interface {
	// Open makes f the least token that may write the value from now on, and
	// returns the value: nil if none was written. It fails with [ErrFenced] if
	// a larger token has opened or written it. The token that was seen last
	// survives the value, and the store's restart.
	Open(ctx context.Context, id Identity, f Fence) (value []byte, err error)
	// Write replaces the value, or deletes it when value is nil, if no larger
	// token than f has opened or written it; else it fails with [ErrFenced].
	// Of a Write that fails with another error it is unknown whether it
	// happened, and it may still happen, but not after a later Open or Write of
	// the identity has succeeded.
	Write(ctx context.Context, id Identity, f Fence, value []byte) error
}
