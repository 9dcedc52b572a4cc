package network

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A wire is a link whose packets, of one byte and more, are kept with the time at which they arrived.
type wire struct {
	*link
	begin time.Time

	mu      sync.Mutex // guards what follows
	arrived []arrival
}

type arrival struct {
	name  byte
	after time.Duration
}

// newWire makes a wire, in a bubble.
func newWire(t *testing.T, queue int) *wire {
	t.Helper()
	w := &wire{begin: time.Now()}
	w.link = newLink(1, 1, queue, func(packet []byte) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.arrived = append(w.arrived, arrival{packet[0], time.Since(w.begin)})
		return nil
	})
	stop := make(chan struct{})
	var running sync.WaitGroup
	w.start = func() { running.Go(func() { w.run(stop) }) }
	t.Cleanup(func() {
		close(stop)
		running.Wait()
	})
	return w
}

func (w *wire) sendAll(size int, names ...byte) {
	for _, name := range names {
		packet := make([]byte, size)
		packet[0] = name
		w.send(packet)
		clear(packet) // it is the sender's
	}
}

// after gives what has arrived when so much time is over.
func (w *wire) after(d time.Duration) []arrival {
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.arrived)
}

func (w *wire) want(t *testing.T, d time.Duration, want ...arrival) {
	t.Helper()
	if got := w.after(d); !slices.Equal(got, want) {
		t.Errorf("after %s: %v, want %v", d, got, want)
	}
}

const ms = time.Millisecond

func TestLinkDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, 1000)
		w.sendAll(1, 'a')
		w.set(Link{Delay: 10 * ms})
		w.sendAll(1, 'b', 'c')
		w.want(t, 9*ms, arrival{'a', 0})
		w.want(t, ms, arrival{'a', 0}, arrival{'b', 10 * ms}, arrival{'c', 10 * ms})
		w.sendAll(1, 'd')
		w.set(Link{Delay: ms}) // the order stays
		w.sendAll(1, 'e')
		w.want(t, 10*ms, arrival{'a', 0}, arrival{'b', 10 * ms}, arrival{'c', 10 * ms}, arrival{'d', 20 * ms}, arrival{'e', 20 * ms})
		if c := w.count(); c != (Counts{Passed: 5, Bytes: 5, Delayed: 4}) {
			t.Errorf("%+v", c)
		}
	})
}

func TestLinkJitterKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, 1000)
		w.set(Link{Delay: 10 * ms, Jitter: 20 * ms})
		const every = 5 * ms
		for name := range byte(100) {
			w.sendAll(1, name)
			time.Sleep(every)
		}
		got := w.after(time.Second)
		var least, most time.Duration = time.Hour, 0
		for i, a := range got {
			if a.name != byte(i) {
				t.Fatalf("not in order: %v", got)
			}
			took := a.after - time.Duration(i)*every
			least, most = min(least, took), max(most, took)
		}
		if len(got) != 100 || least < 10*ms || least > 15*ms || most > 30*ms || most < 25*ms {
			t.Errorf("%d took %s to %s, want about 10ms to 30ms", len(got), least, most)
		}
	})
}

func TestLinkRateAndQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, 250)
		w.set(Link{Rate: 1000})
		w.sendAll(100, 'a', 'b', 'c')
		if c := w.count(); c.Overflowed != 1 {
			t.Errorf("%+v, want one that the queue has no room for", c)
		}
		w.want(t, time.Second, arrival{'a', 100 * ms}, arrival{'b', 200 * ms})
		w.set(Link{Rate: 10})
		w.sendAll(1, 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p') // the first 11 begin within a second
		if c := w.count(); c.Overflowed != 3 {
			t.Errorf("%+v, want two more whose turn would come too late", c)
		}
	})
}

func TestLinkBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, 1000)
		w.set(Link{Delay: 10 * ms})
		w.sendAll(1, 'a')
		w.set(Link{Blocked: true})
		w.sendAll(1, 'b')
		w.want(t, time.Second)
		w.set(Link{})
		w.sendAll(1, 'c')
		w.want(t, time.Second, arrival{'c', time.Second})
		if c := w.count(); c != (Counts{Passed: 1, Bytes: 1, Delayed: 1, Blocked: 2}) {
			t.Errorf("%+v", c)
		}
	})
}

func TestLinkHealsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, 1000)
		w.set(Link{Delay: time.Hour})
		w.sendAll(1, 'a', 'b')
		w.want(t, ms)
		w.set(Link{})
		w.sendAll(1, 'c')
		w.want(t, 0, arrival{'a', ms}, arrival{'b', ms}, arrival{'c', ms})
	})
}

func TestLinkChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, 1<<20)
		w.set(Link{Loss: 0.25, Duplicate: 0.25, Reorder: 0.25})
		for range 1000 {
			w.sendAll(1, 'x')
			time.Sleep(ms)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		c := w.count()
		if c.Lost < 180 || c.Lost > 320 {
			t.Errorf("lost %d of 1000, want about 250", c.Lost)
		}
		if c.Duplicated < 130 || c.Duplicated > 250 {
			t.Errorf("duplicated %d of 750, want about 190", c.Duplicated)
		}
		if c.Reordered < 100 {
			t.Errorf("%d came after others, want more", c.Reordered)
		}
		if c.Passed != 1000-c.Lost+c.Duplicated {
			t.Errorf("%+v do not add up", c)
		}
	})
}

func TestLinkDoesTheSameBySeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs [2][]arrival
		for i := range runs {
			w := newWire(t, 1<<20)
			w.set(Link{Loss: 0.5, Jitter: 50 * ms, Reorder: 0.1})
			for name := range byte(100) {
				w.sendAll(1, name)
			}
			runs[i] = w.after(time.Second)
		}
		if !slices.Equal(runs[0], runs[1]) {
			t.Errorf("%v\n%v", runs[0], runs[1])
		}
	})
}

func TestLinkTidies(t *testing.T) {
	odd := Link{Loss: -1, Reorder: 2, Delay: -1, Jitter: -1, Rate: -1}
	if got := odd.tidy(); got != (Link{Reorder: 1}) {
		t.Errorf("%+v", got)
	}
}
