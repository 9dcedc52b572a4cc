package record_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// restless is a store that counts its calls, and fails as it is told.
type restless struct {
	driver.RecordStore
	calls             *atomic.Int64
	wait, read, write func() error
}

func (s restless) count(f func() error) (bool, error) {
	if s.calls.Add(1); f == nil {
		return false, nil
	}
	return true, f()
}

func (s restless) Read(ctx context.Context) (driver.Record, error) {
	if fails, err := s.count(s.read); fails {
		return driver.Record{}, err
	}
	return s.RecordStore.Read(ctx)
}

func (s restless) Wait(ctx context.Context, since driver.Record) error {
	if fails, err := s.count(s.wait); fails {
		return err
	}
	return s.RecordStore.Wait(ctx, since)
}

func (s restless) Write(ctx context.Context, since driver.Record, data []byte) error {
	if fails, err := s.count(s.write); fails {
		return err
	}
	return s.RecordStore.Write(ctx, since, data)
}

// TestNothingSpins counts the calls to stores that answer at once, and not as
// they should.
func TestNothingSpins(t *testing.T) {
	fail := func() error { return errors.New("no") }
	for name, s := range map[string]restless{
		"Wait returns at once": {wait: func() error { return nil }},
		"Wait fails":           {wait: fail},
		"Read fails":           {read: fail},
		"Write fails":          {write: fail},
		"Write conflicts":      {write: func() error { return driver.ErrConflict }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service, begun := clustertest.NewRecordStore(), time.Now()
				s.calls = new(atomic.Int64)
				p := record.New(func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error) {
					store, err := service.Open(ctx, r, observe)
					with := s
					with.RecordStore = store
					return with, err
				}, record.WithClock(func() time.Duration { return time.Since(begun) }))
				session, err := p.Join(t.Context(), request(member(0)))
				if err != nil {
					t.Fatal(err)
				}
				const minutes = 2
				ended := time.AfterFunc(minutes*time.Minute, func() { _ = session.Close() })
				defer ended.Stop()
				for {
					if _, err := session.Watch(t.Context(), 1<<63); errors.Is(err, driver.ErrClosed) {
						break
					}
				}
				if n := s.calls.Load(); n > minutes*60*50 {
					t.Errorf("%d calls in %d minutes", n, minutes)
				}
				if n := s.calls.Load(); n < minutes {
					t.Errorf("only %d calls in %d minutes: it has given up", n, minutes)
				}
			})
		})
	}
}
