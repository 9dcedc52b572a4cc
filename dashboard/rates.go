package dashboard

import "time"

const (
	// rateOver is the time that a rate is taken over, at least.
	rateOver = 4 * time.Second
	// restAfter is how long a counter may stay the same before that counts. Members count what
	// their grains have handled once a second at most, when they are asked: a sample is worth
	// something when it has changed, and may be a second old otherwise.
	restAfter = 2500 * time.Millisecond
)

// maxSamples bounds the samples of a counter, whatever the interval is.
const maxSamples = 50

// rates are of counters, by the names that the caller gives them.
type rates struct {
	counters map[string]*window
	turn     uint64
}

// window is the last samples of a counter.
type window struct {
	samples []sample
	turn    uint64 // when it was asked for last
}

type sample struct {
	at time.Time
	n  uint64
}

func newRates() *rates { return &rates{counters: make(map[string]*window)} }

// of takes a sample of a counter and gives how much it grows in a second; nil as long as that
// is not known. A counter that falls is another one, of a new process.
func (r *rates) of(name string, at time.Time, n uint64) *float64 {
	w := r.counters[name]
	if w == nil {
		w = new(window)
		r.counters[name] = w
	}
	w.turn = r.turn
	return w.add(at, n)
}

func (w *window) add(at time.Time, n uint64) *float64 {
	last := len(w.samples) - 1
	switch {
	case last >= 0 && (w.samples[last].n > n || at.Before(w.samples[last].at)):
		w.samples = []sample{{at, n}}
	case last < 0 || w.samples[last].n != n || at.Sub(w.samples[last].at) >= restAfter:
		w.samples = append(w.samples, sample{at, n})
	}
	newest := w.samples[len(w.samples)-1]
	for len(w.samples) > 2 && (newest.at.Sub(w.samples[1].at) >= rateOver || len(w.samples) > maxSamples) {
		w.samples = w.samples[1:]
	}
	over := newest.at.Sub(w.samples[0].at).Seconds()
	if over <= 0 {
		return nil
	}
	rate := float64(newest.n-w.samples[0].n) / over
	return &rate
}

// forget drops the counters that nobody asked for since it was called before: they are of
// members and kinds that are gone.
func (r *rates) forget() {
	for name, w := range r.counters {
		if w.turn != r.turn {
			delete(r.counters, name)
		}
	}
	r.turn++
}

// plus adds rates. What is not known counts as nothing beside what is.
func plus(a, b *float64) *float64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	sum := *a + *b
	return &sum
}
