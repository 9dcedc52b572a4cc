package zk

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/zk/zktest"
)

// renewUntil renews until a renewal is as wanted.
func renewUntil(ctx context.Context, t *testing.T, s *store, what string, want func(error) bool) {
	t.Helper()
	eventually(ctx, t, what, func() bool {
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := s.Renew(short)
		if errors.Is(err, driver.ErrLeaseLost) && !want(err) {
			t.Fatalf("the lease is lost, while %s", what)
		}
		return want(err)
	})
}

func succeeds(err error) bool { return err == nil }

// A leader that crashes costs a store a few calls, and no lease.
func TestLeaderCrashes(t *testing.T) {
	t.Parallel()
	e := zktest.StartEnsemble(t)
	s, ctx := newStore(t, e.Addresses()...), within(t)
	register(t, s, "a", 20*time.Second)
	write(t, s, "before")
	leader := e.Leader(t)
	leader.Stop()
	renewUntil(ctx, t, s, "a leader is elected", succeeds)
	eventually(ctx, t, "write without one of three servers", func() bool {
		return s.Write(ctx, orNone(s.Read(ctx)), []byte("after")) == nil
	})
	if got := read(t, s); string(got.Data) != "after" || len(got.Alive) != 1 {
		t.Errorf("the record is %q, alive are %q", got.Data, got.Alive)
	}
	leader.Restart(t)
	renewUntil(ctx, t, s, "the server is back", succeeds)
}

// orNone gives a record that nothing can be written over, when it could not be read.
func orNone(r driver.Record, err error) driver.Record {
	if err != nil {
		return driver.Record{Version: version{exists: true, number: -2}}
	}
	return r
}

// A store that is attached to a leader that stops for a while, and has a successor when it goes on, reads nothing that is
// old: it answers a sync by itself until it notices.
func TestFormerLeaderGivesNothingOld(t *testing.T) {
	t.Parallel()
	e := zktest.StartEnsemble(t)
	leader, ctx := e.Leader(t), within(t)
	others := slices.DeleteFunc(e.Addresses(), func(a string) bool { return a == leader.Address })
	s, other := newStore(t, others...), newStore(t, leader.Address)
	other.idle = time.Minute // the server finds its session and its connection as they were
	write(t, s, "old")
	if got := read(t, other); string(got.Data) != "old" {
		t.Fatalf("the record is %q", got.Data)
	}
	leader.Pause(t)
	eventually(ctx, t, "the others elect a leader", func() bool {
		return s.Write(ctx, orNone(s.Read(ctx)), []byte("new")) == nil
	})
	const readers = 16
	results := make(chan error, readers)
	for range readers {
		go func() { results <- reads(ctx, other, "new") }()
	}
	eventually(ctx, t, "all wait for the server to go on, which finds their requests", func() bool {
		other.reader.mu.Lock()
		defer other.reader.mu.Unlock()
		return other.reader.waiting == readers
	})
	leader.Resume(t)
	for range readers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// reads tries until a read succeeds, which must give this record.
func reads(ctx context.Context, s *store, want string) error {
	for {
		got, err := s.Read(ctx)
		switch {
		case err == nil && string(got.Data) != want:
			return errors.New("what is read is old: " + string(got.Data))
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		}
	}
}

func TestLeaderPauses(t *testing.T) {
	t.Parallel()
	e := zktest.StartEnsemble(t)
	s, ctx := newStore(t, e.Addresses()...), within(t)
	register(t, s, "a", 20*time.Second)
	leader := e.Leader(t)
	leader.Pause(t)
	renewUntil(ctx, t, s, "a leader is elected", succeeds)
	leader.Resume(t)
	renewUntil(ctx, t, s, "the server goes on", succeeds)
	if got := read(t, s); len(got.Alive) != 1 {
		t.Errorf("alive are %q", got.Alive)
	}
}

// A follower that has lost its leader answers pings and reads for a while. A member that is attached to it alone must
// get no renewal, and keep its node until the time that its last one granted has passed.
func TestFollowerCutOff(t *testing.T) {
	t.Parallel()
	e := zktest.StartCuttable(t)
	follower, ctx := e.Follower(t), within(t)
	others := slices.DeleteFunc(e.Addresses(), func(a string) bool { return a == follower.Address })
	s, other := newStore(t, follower.Address), newStore(t, others...)
	register(t, s, "a", 2*time.Second)
	for range 5 { // as fast as can be: the follower has told its leader of few of them
		if _, err := s.Renew(ctx); err != nil {
			t.Fatal(err)
		}
	}
	sent := time.Now()
	granted, err := s.Renew(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e.Cut(follower)
	renewals := make(chan error, 1)
	go func() { renewals <- failing(ctx, s) }()
	eventually(ctx, t, "the member's node goes", func() bool { return len(read(t, other).Alive) == 0 })
	if passed := time.Since(sent); passed < granted {
		t.Errorf("the node is gone %v after a renewal that granted %v", passed, granted)
	}
	e.Heal(follower)
	if err := <-renewals; err != nil {
		t.Error(err)
	}
}

// failing renews until the lease is lost; no renewal may succeed.
func failing(ctx context.Context, s *store) error {
	for {
		short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		granted, err := s.Renew(short)
		cancel()
		switch {
		case errors.Is(err, driver.ErrLeaseLost):
			return nil
		case err == nil:
			return errors.New("a follower that is cut off renews for " + granted.String())
		case ctx.Err() != nil:
			return err
		}
	}
}
