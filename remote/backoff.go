package remote

import (
	"math/rand/v2"
	"time"
)

// backoff says how long a peer is left alone after failed attempts to reach it.
type backoff struct {
	min, max time.Duration
}

// after returns the pause after the given number of failures in a row: between
// half of and a whole min, doubled with each failure after the first, up to max.
func (b backoff) after(failures int) time.Duration {
	d := b.min
	for range failures - 1 {
		if d >= b.max/2 {
			d = b.max
			break
		}
		d *= 2
	}
	return d/2 + rand.N(d/2+1)
}
