package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/lease"
	"github.com/granary-go/granary/internal/record"
)

// session is one process's part in the membership: the goroutines, the clock
// and the store around a [record.Machine], which belongs to follow alone.
type session struct {
	config  config
	request driver.Request
	logger  *slog.Logger
	store   driver.RecordStore
	board   *board
	lease   *holder       // nil for an observer
	granted time.Duration // lease time, as it was granted at first
	begun   time.Time
	seen    uint64 // the highest epoch of this process's earlier sessions
	release func(seen uint64)

	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	renew  context.CancelFunc // ends the renewals; nil for an observer
	wg     sync.WaitGroup
	closer sync.Once

	mu      sync.Mutex // guards the fields below
	events  []record.Event
	refresh uint64             // an epoch that must exist, as somebody says
	awake   bool               // there is something to do: do not wait
	waiting context.CancelFunc // ends the wait under way; nil when there is none
}

func newSession(c config, r driver.Request, store driver.RecordStore, seen uint64, release func(seen uint64)) *session {
	logger := r.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &session{config: c, request: r, logger: logger, store: store, board: newBoard(), begun: time.Now(), seen: seen, release: release}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// register makes the liveness key, from whose lease this member's is counted.
func (s *session) register(ctx context.Context, description []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	start := s.config.exact()
	granted, err := s.store.Register(ctx, s.request.Member.ID, description, s.config.ttl)
	if err == nil && granted <= 0 {
		err = fmt.Errorf("it granted a lease of %v", granted)
	}
	if err != nil {
		// The key may be there all the same, of a member that is not. If it
		// cannot be deleted it ends with its lease.
		_ = s.unregister()
		s.cancel()
		return fmt.Errorf("record: the store did not register member %v; can it be reached? %w", s.request.Member, err)
	}
	s.granted = granted
	s.lease = newHolder(s.config.now, start, granted)
	return nil
}

func (s *session) unregister() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.config.timeout)
	defer cancel()
	if err := s.store.Unregister(ctx); err != nil && !errors.Is(err, driver.ErrLeaseLost) {
		return fmt.Errorf("record: deleting the liveness key: %w", err)
	}
	return nil
}

// start begins to follow the store, and to renew.
func (s *session) start(incarnation string) {
	machine := record.New(record.Config{
		Self: s.request.Member, Incarnation: incarnation,
		Pause: record.Time(s.config.pause), FoundAfter: record.Time(max(s.granted, s.config.ttl)),
		Seen: s.seen, Weigh: weigh, Room: room,
	})
	if s.lease != nil {
		ctx, cancel := context.WithCancel(s.ctx)
		s.renew = cancel
		s.wg.Go(func() { s.keepRenewing(ctx) })
		s.wg.Go(s.keepLease)
	}
	s.wg.Go(func() { (&follower{session: s, machine: machine}).run() })
}

// tell gives the machine an event, or with nil makes it read again.
func (s *session) tell(e record.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e != nil {
		s.events = append(s.events, e)
	}
	s.awake = true
	if s.waiting != nil {
		s.waiting()
	}
}

// keepLease gives the lease its ticks until it is over.
func (s *session) keepLease() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			s.lease.step(lease.Tick{})
		case <-s.lease.over:
			s.tell(record.Fenced{})
			return
		case <-s.ctx.Done():
			return
		}
		if d, wanted := s.lease.next(s.granted); wanted {
			timer.Reset(d)
		}
	}
}

// Watch implements [driver.Session].
func (s *session) Watch(ctx context.Context, after uint64) (driver.View, error) {
	for {
		shown, changed := s.board.read()
		switch {
		case shown.closed:
			return driver.View{}, driver.ErrClosed
		case shown.over != nil:
			return driver.View{}, shown.over
		case shown.view.Epoch > after:
			return shown.view, nil
		}
		if err := s.board.take(); err != nil {
			return driver.View{}, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return driver.View{}, s.waited(ctx.Err())
		}
	}
}

// waited adds to an error what it was that this process waited for.
func (s *session) waited(err error) error {
	shown, _ := s.board.read()
	switch {
	case shown.trouble != nil:
		return fmt.Errorf("%w: %w", shown.trouble, err)
	case shown.held != nil && shown.view.Epoch == 0:
		return fmt.Errorf("%w: %w", shown.held, err)
	}
	return err
}

// Lease implements [driver.Session].
func (s *session) Lease() driver.Lease {
	if s.lease == nil {
		return nil
	}
	return s.lease
}

// Refresh implements [driver.Session]: if the view is not known yet, the store
// is read at once.
func (s *session) Refresh(epoch uint64) {
	if shown, _ := s.board.read(); shown.view.Epoch >= epoch {
		return
	}
	s.mu.Lock()
	again := epoch > s.refresh
	s.refresh = max(epoch, s.refresh)
	s.mu.Unlock()
	if again {
		s.tell(nil)
	}
}

// Drain implements [driver.Session]. It waits until the view shows this member
// as leaving. A member that is in no view has nothing to wait for.
func (s *session) Drain(ctx context.Context) error {
	if s.lease == nil {
		return nil
	}
	s.tell(record.Drain{})
	return s.await(ctx, func(p posted) bool {
		mine, in := p.view.Member(s.request.Member.ID)
		return !in || p.over != nil || mine.State == driver.Leaving
	})
}

// Leave implements [driver.Session]. It waits until the record does not hold
// this member and its liveness key is deleted.
func (s *session) Leave(ctx context.Context) error {
	if s.lease == nil {
		return nil
	}
	s.tell(record.Leave{})
	return s.await(ctx, func(p posted) bool { return p.left })
}

// await waits until what is shown fulfils a condition.
func (s *session) await(ctx context.Context, done func(posted) bool) error {
	for {
		shown, changed := s.board.read()
		switch {
		case shown.closed:
			return driver.ErrClosed
		case done(shown):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.waited(ctx.Err())
		}
	}
}

// Close implements [driver.Session]. The lease has ended when it returns; the
// liveness key is left to its own.
func (s *session) Close() error {
	var err error
	s.closer.Do(func() {
		s.board.post(func(p *posted) { p.closed = true })
		s.cancel()
		if s.lease != nil {
			s.lease.close()
		}
		s.wg.Wait()
		err = s.store.Close()
		shown, _ := s.board.read()
		s.release(max(s.seen, shown.view.Epoch))
	})
	return err
}
