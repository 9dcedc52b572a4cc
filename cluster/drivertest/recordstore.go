package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// RecordService is a coordination service that is tested.
type RecordService struct {
	// Open connects one more process to what is kept for a cluster. The kit
	// makes up the names of clusters, and closes what it opens.
	Open func(ctx context.Context, cluster string) (driver.RecordStore, error)
	// TTL is the lease time to ask for: the shortest that the service grants.
	// Several cases wait until leases have ended. Defaults to a second.
	TTL time.Duration
	// Late is how long after the end of a lease its key may still be there.
	// Defaults to the lease time and ten seconds.
	Late time.Duration
	// MaxRecord is how many bytes a record may have, where the service cannot
	// keep more. Defaults to 1 MiB.
	MaxRecord int
}

// RecordStores tests that an implementation of [driver.RecordStore] keeps the
// contract, in subtests. It leaves in the service what it wrote there, under
// the names of clusters that begin with "kit-". It writes up to MaxRecord at once.
func RecordStores(t *testing.T, s RecordService) {
	for _, c := range recordCases {
		t.Run(c.name, func(t *testing.T) {
			for _, err := range s.check(t.Context(), c) {
				t.Error(err)
			}
		})
	}
}

// CheckRecordStore is [RecordStores] without a test: it returns what it found,
// each with the name of its case, and nil if the store keeps the contract. It
// may be called in a testing/synctest bubble.
func CheckRecordStore(ctx context.Context, s RecordService) []error {
	var errs []error
	for _, c := range recordCases {
		for _, err := range s.check(ctx, c) {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errs
}

// check runs one case in a cluster of its own.
func (s RecordService) check(ctx context.Context, c recordCase) []error {
	if s.TTL <= 0 {
		s.TTL = time.Second
	}
	if s.Late <= 0 {
		s.Late = s.TTL + 10*time.Second
	}
	if s.MaxRecord <= 0 {
		s.MaxRecord = 1 << 20
	}
	ctx, cancel := context.WithTimeout(ctx, patience+5*(s.TTL+s.Late))
	defer cancel()
	tr := &recordTrial{service: s, ctx: ctx, cluster: "kit-" + rand.Text()}
	c.run(tr)
	for _, store := range tr.opened {
		if err := store.Close(); err != nil {
			tr.errorf("Close: %w", err)
		}
	}
	return tr.errs
}

// recordTrial is one run of one case.
type recordTrial struct {
	service RecordService
	ctx     context.Context
	cluster string

	mu     sync.Mutex // guards the fields below
	opened []driver.RecordStore
	errs   []error
}

func (tr *recordTrial) errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.errs = append(tr.errs, fmt.Errorf(format, args...))
}

// open connects one more process.
func (tr *recordTrial) open() driver.RecordStore { return tr.openIn(tr.cluster) }

func (tr *recordTrial) openIn(cluster string) driver.RecordStore {
	store, err := tr.service.Open(tr.ctx, cluster)
	if err != nil {
		tr.errorf("opening the store: %w", err)
		return failing{err}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.opened = append(tr.opened, store)
	return store
}

func (tr *recordTrial) read(s driver.RecordStore) driver.Record {
	r, err := s.Read(tr.ctx)
	if err != nil {
		tr.errorf("Read: %w", err)
	}
	return r
}

func (tr *recordTrial) write(s driver.RecordStore, since driver.Record, data string) {
	if err := s.Write(tr.ctx, since, []byte(data)); err != nil {
		tr.errorf("Write of %.20q: %w", data, err)
	}
}

// conflicts expects that a write fails as the record has changed.
func (tr *recordTrial) conflicts(s driver.RecordStore, since driver.Record, what string) {
	if err := s.Write(tr.ctx, since, []byte("overwritten")); !errors.Is(err, driver.ErrConflict) {
		tr.errorf("Write %s: %w, want %w", what, orNil(err), driver.ErrConflict)
	}
}

// holds expects what a process reads.
func (tr *recordTrial) holds(s driver.RecordStore, data string, alive ...driver.MemberID) {
	r := tr.read(s)
	if string(r.Data) != data || (r.Data == nil) != (data == "") {
		tr.errorf("Read gives the record %.40q, want %.40q", r.Data, data)
	}
	if len(r.Alive) != len(alive) {
		tr.errorf("Read gives %d liveness keys, want %v", len(r.Alive), alive)
	}
	for _, id := range alive {
		if string(r.Alive[id]) != describe(id) {
			tr.errorf("the liveness key of %s has %.40q, want %.40q", id, r.Alive[id], describe(id))
		}
	}
}

func describe(id driver.MemberID) string { return "this is " + string(id) }

func (tr *recordTrial) register(s driver.RecordStore, id driver.MemberID) (granted time.Duration) {
	granted, err := s.Register(tr.ctx, id, []byte(describe(id)), tr.service.TTL)
	if err != nil || granted <= 0 {
		tr.errorf("Register of %s: granted %v, %w", id, granted, orNil(err))
	}
	return granted
}

func (tr *recordTrial) lost(s driver.RecordStore, when string) {
	if granted, err := s.Renew(tr.ctx); !errors.Is(err, driver.ErrLeaseLost) {
		tr.errorf("Renew %s: granted %v, %w; want %w", when, granted, orNil(err), driver.ErrLeaseLost)
	}
}

// gone waits until a liveness key has ended, and reports if that is before it
// may, or too late.
func (tr *recordTrial) gone(s driver.RecordStore, id driver.MemberID, begun time.Time, granted time.Duration) {
	for {
		r, err := s.Read(tr.ctx)
		if err != nil {
			tr.errorf("Read: %w", err)
			return
		}
		passed := time.Since(begun)
		_, alive := r.Alive[id]
		switch {
		case !alive && passed < granted:
			tr.errorf("the liveness key is gone after %v of a lease of %v", passed, granted)
			return
		case !alive:
			return
		case passed > granted+tr.service.Late:
			tr.errorf("the liveness key is there %v after a lease of %v began", passed, granted)
			return
		}
		tr.pass(granted / 20)
	}
}

// pass lets time pass.
func (tr *recordTrial) pass(d time.Duration) { pause(tr.ctx, d) }

// pause waits for a while, at most until the context is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// wakes expects that Wait returns for a change that is made while it waits,
// and for one that was made before.
func (tr *recordTrial) wakes(s driver.RecordStore, what string, within time.Duration, change func()) {
	since := tr.read(s)
	ctx, cancel := context.WithTimeout(tr.ctx, within)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- s.Wait(ctx, since) }()
	tr.pass(50 * time.Millisecond) // so that it waits, most likely
	change()
	if err := <-result; err != nil {
		tr.errorf("Wait does not notice %s while it waits: %w", what, err)
	}
	if err := s.Wait(ctx, since); err != nil {
		tr.errorf("Wait does not notice %s that happened before: %w", what, err)
	}
}

// orNil makes an error that can be formatted of one that may be nil.
func orNil(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// failing is a store that could not be opened.
type failing struct{ err error }

func (f failing) Read(context.Context) (driver.Record, error)        { return driver.Record{}, f.err }
func (f failing) Wait(context.Context, driver.Record) error          { return f.err }
func (f failing) Write(context.Context, driver.Record, []byte) error { return f.err }
func (f failing) Renew(context.Context) (time.Duration, error)       { return 0, f.err }
func (f failing) Unregister(context.Context) error                   { return f.err }
func (f failing) Close() error                                       { return nil }
func (f failing) Register(context.Context, driver.MemberID, []byte, time.Duration) (time.Duration, error) {
	return 0, f.err
}
