package remote

import (
	"math/rand/v2"
	"time"
)

// backoff says how long a peer is left alone after failed attempts to reach it.
type backoff struct {
	min, max time.Duration
}

// most returns the longest pause after the given number of failures in a row: min,
// doubled with each failure after the first, up to max.
func (b backoff) most(failures int) time.Duration {
	d := b.min
	for range failures - 1 {
		if d >= b.max/2 {
			return b.max
		}
		d *= 2
	}
	return d
}

// after returns a pause after the given number of failures in a row: the longest,
// less up to half of it by chance.
func (b backoff) after(failures int) time.Duration {
	d := b.most(failures)
	return d/2 + rand.N(d/2+1)
}
