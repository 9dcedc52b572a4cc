package network

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Link is the rule of what goes from one host to another. The zero Link is a perfect one.
//
// In the mode "namespaces" it says what happens to an IP packet, whose size is up to the MTU. In the mode "proxies" it
// says what happens to a piece of a connection's bytes, of up to 16 KiB: what is blocked stands still, the rest as said at
// each field.
type Link struct {
	// Blocked lets nothing pass. Packets are dropped, those that wait in the link among them; when [Network.Set] returns
	// none passes any more. In the mode "proxies" a new connection hangs, and so does the end of one; a piece that was
	// on its way out may pass a moment later.
	Blocked bool

	// Loss, Reorder and Duplicate are the shares of packets, from 0 to 1, that are lost, that are held back for 1 to 10
	// milliseconds so that later ones may overtake them, and that arrive twice.
	//
	// In the mode "proxies" a piece that is lost arrives 200 ms later, as TCP would have sent it again, and one such
	// piece in twenty ends its connection with a reset; a piece that is held back comes that much later, and so do those
	// behind it; nothing is duplicated.
	Loss, Reorder, Duplicate float64

	// Delay is how long each packet is on its way. Jitter adds what chance gives, up to itself, and keeps
	// the order of packets.
	Delay, Jitter time.Duration

	// Rate is how many bytes a second pass, 0 for no limit. A packet that would wait for longer than a second before it
	// is its turn is dropped; in the mode "proxies" its sender waits.
	Rate int
}

// tidy brings what makes no sense to the next that does.
func (l Link) tidy() Link {
	l.Loss, l.Reorder, l.Duplicate = share(l.Loss), share(l.Reorder), share(l.Duplicate)
	l.Delay, l.Jitter, l.Rate = max(l.Delay, 0), max(l.Jitter, 0), max(l.Rate, 0)
	return l
}

func share(f float64) float64 {
	if f > 0 { // false for NaN
		return min(f, 1)
	}
	return 0
}

const (
	maxTurn = time.Second // that a packet waits for its turn on a link with a rate
	maxHeld = 10 * time.Millisecond
	minHeld = time.Millisecond
)

// A link carries the packets of one direction between two hosts.
type link struct {
	deliver  func(packet []byte) error // to the other host; it may not keep the packet
	maxBytes int
	wake     chan struct{} // has room for one: the first packet that waits is another
	start    func()        // starts run, under mu, the first time that a packet waits

	mu      sync.Mutex // guards all below, and is held while a packet is delivered: what is set holds at once
	rule    Link
	changed chan struct{} // closed when the rule is set
	chance  *rand.Rand
	waiting []waitingPacket // the first that is due first
	bytes   int             // of the packets that wait
	free    time.Time       // when the last packet has taken its turn
	last    time.Time       // when the last packet is due that is not held back
	sent    uint64          // packets that have passed or wait
	newest  uint64          // the latest among those that have passed
	running bool
	counts  Counts
}

func newLink(seed, place uint64, maxBytes int, deliver func([]byte) error) *link {
	return &link{
		deliver: deliver, maxBytes: maxBytes, chance: rand.New(rand.NewPCG(seed, place)),
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// set replaces the rule, and gives the new one to what waits if it is to be dropped, or has nothing to wait for.
func (l *link) set(rule Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rule = rule.tidy()
	close(l.changed)
	l.changed = make(chan struct{})
	switch {
	case l.rule.Blocked:
		l.counts.Blocked += uint64(len(l.waiting))
		l.waiting, l.bytes = nil, 0
	case l.rule == Link{}:
		for len(l.waiting) > 0 {
			l.pass(l.take())
		}
	default:
		return
	}
	l.free, l.last = time.Time{}, time.Time{}
}

// send passes a packet on, now or later, or drops it.
func (l *link) send(packet []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rule == (Link{}) { // then none waits
		l.sent++
		l.pass(waitingPacket{bytes: packet, number: l.sent})
		return
	}
	if l.rule.Blocked {
		l.counts.Blocked++
		return
	}
	if l.happens(l.rule.Loss) {
		l.counts.Lost++
		return
	}
	now := time.Now()
	l.queue(packet, now)
	if l.happens(l.rule.Duplicate) {
		l.counts.Duplicated++
		l.queue(packet, now)
	}
}

func (l *link) happens(share float64) bool { return share > 0 && l.chance.Float64() < share }

// queue lets a packet wait until it is due.
func (l *link) queue(packet []byte, now time.Time) {
	turn := now
	if l.free.After(now) {
		turn = l.free
	}
	if l.bytes+len(packet) > l.maxBytes || turn.Sub(now) > maxTurn {
		l.counts.Overflowed++
		return
	}
	due := turn.Add(l.transmission(len(packet)))
	l.free = due
	due = due.Add(l.latency())
	if l.happens(l.rule.Reorder) {
		due = due.Add(l.held())
	} else {
		if due.Before(l.last) {
			due = l.last
		}
		l.last = due
	}
	l.sent++
	p := waitingPacket{bytes: packet, number: l.sent, due: due}
	if len(l.waiting) == 0 && !due.After(now) {
		l.pass(p)
		return
	}
	l.counts.Delayed++
	p.bytes = append([]byte(nil), packet...)
	l.put(p)
}

// transmission is how long so many bytes take the link.
func (l *link) transmission(size int) time.Duration {
	if l.rule.Rate == 0 {
		return 0
	}
	return time.Duration(float64(size) / float64(l.rule.Rate) * float64(time.Second))
}

// latency is how long a packet is on its way.
func (l *link) latency() time.Duration {
	d := l.rule.Delay
	if l.rule.Jitter > 0 {
		d += time.Duration(l.chance.Int64N(int64(l.rule.Jitter)))
	}
	return d
}

// held is how long a packet is held back that others may overtake.
func (l *link) held() time.Duration {
	return minHeld + time.Duration(l.chance.Int64N(int64(maxHeld-minHeld)))
}

// pass gives a packet to the other host.
func (l *link) pass(p waitingPacket) {
	if err := l.deliver(p.bytes); err != nil {
		l.counts.Failed++
		return
	}
	l.counts.Passed++
	l.counts.Bytes += uint64(len(p.bytes))
	if p.number < l.newest {
		l.counts.Reordered++
	}
	l.newest = max(l.newest, p.number)
}

// put lets a packet wait behind those that are due before it. Nearly all go to the end.
func (l *link) put(p waitingPacket) {
	i := len(l.waiting)
	for i > 0 && p.due.Before(l.waiting[i-1].due) {
		i--
	}
	l.waiting = slices.Insert(l.waiting, i, p)
	l.bytes += len(p.bytes)
	if !l.running {
		l.running = true
		l.start()
	}
	if i == 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

func (l *link) take() waitingPacket {
	p := l.waiting[0]
	l.waiting[0] = waitingPacket{}
	l.waiting = l.waiting[1:]
	l.bytes -= len(p.bytes)
	return p
}

// run passes packets on when they are due, until stop is closed.
func (l *link) run(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-l.wake:
		case <-timer.C:
		}
		if wait, ok := l.passDue(); ok {
			timer.Reset(wait)
		}
	}
}

// passDue passes on what is due and tells how long the next packet has to wait, if there is one.
func (l *link) passDue() (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 {
		if wait := time.Until(l.waiting[0].due); wait > 0 {
			return wait, true
		}
		l.pass(l.take())
	}
	return 0, false
}

func (l *link) count() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

type waitingPacket struct {
	bytes  []byte
	number uint64 // in the order of sending
	due    time.Time
}
