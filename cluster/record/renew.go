package record

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/lease"
)

// Pauses after an error of the store: they double from the first to the last,
// and each is between half and the whole of it.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// backoff counts the pauses.
type backoff struct{ last time.Duration }

func (b *backoff) reset() { b.last = 0 }

// next gives the next pause.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstRetry), lastRetry)
	return b.last/2 + rand.N(b.last/2)
}

// pause waits; false says that the context is done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// keepRenewing renews the lease after each third of it, and as soon as it can
// when that fails, until the lease is over.
func (s *session) keepRenewing(ctx context.Context) {
	granted, retry := s.granted, backoff{}
	wait := granted / 3
	for pause(ctx, wait) {
		select {
		case <-s.lease.over:
			return
		default:
		}
		start := s.config.exact()
		got, err := s.renewOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, driver.ErrLeaseLost):
			s.lease.step(lease.Lost{})
			return
		case err != nil:
			wait = retry.next()
			continue
		}
		s.lease.step(lease.Renewed{Start: lease.Time(start), TTL: lease.Time(got)})
		retry.reset()
		wait = max(got/3-(s.config.now()-start), firstRetry)
	}
}

func (s *session) renewOnce(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	return s.store.Renew(ctx)
}
