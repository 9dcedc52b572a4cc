package trio

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/workload"
)

const (
	// victim is the member that ends.
	victim = 1
	// before is how many calls the load has made when that happens.
	before = 5000
	// pause is how long a caller waits before it calls again after an error, or a grain that has not moved yet.
	pause = 20 * time.Millisecond
	// longest is how long an outage may last.
	longest = 30 * time.Second
)

func failover(f *fleet, p Peer, n int) (workload.Result, error) {
	return f.outage(p, n, func() { f.members[victim].Kill() })
}

func leave(f *fleet, p Peer, n int) (workload.Result, error) {
	return f.outage(p, n, func() { f.members[victim].Say(wordLeave) })
}

var errNone = errors.New("none")

// An outage is what callers see when a member ends.
type outage struct {
	p    Peer
	m    *benchpb.Question
	made atomic.Int64  // calls
	busy chan struct{} // closed when the load has made its calls
	over chan struct{} // closed at the end

	mu      sync.Mutex // guards the fields below
	failed  int
	failure error // the last of them
	slowest time.Duration
}

// outage has clients call all grains in turn, ends a member meanwhile, and measures until each grain has answered a call, made since
// then, on another member.
func (f *fleet) outage(p Peer, n int, end func()) (workload.Result, error) {
	if _, err := f.first(p, n); err != nil {
		return workload.Result{}, err
	}
	o := &outage{p: p, m: &benchpb.Question{Data: make([]byte, size)}, busy: make(chan struct{}), over: make(chan struct{})}
	var load, waiting sync.WaitGroup
	for client := range f.c.clients {
		load.Go(func() { o.load(client, n) })
	}
	<-o.busy
	begin := time.Now()
	end()
	for i := range n {
		waiting.Go(func() { o.until(name(i), begin.Add(longest)) })
	}
	waiting.Wait()
	took := time.Since(begin)
	close(o.over)
	load.Wait()
	r := workload.Result{Ops: n, Seconds: took.Seconds(), Worst: o.slowest.Seconds(), Errors: o.failed}
	if took > longest {
		return r, fmt.Errorf("after %v not every grain answers on another member; the last error of a call: %w", longest,
			cmp.Or(o.failure, errNone))
	}
	return r, nil
}

// load calls grains until the end.
func (o *outage) load(client, n int) {
	for i := client; !o.ended(0); i++ {
		if o.made.Add(1) == before {
			close(o.busy)
		}
		if _, err := o.call(name(i % n)); err != nil {
			o.ended(pause)
		}
	}
}

// until calls a grain until it answers on another member than the one that ends.
func (o *outage) until(grain string, limit time.Time) {
	for time.Now().Before(limit) {
		if member, err := o.call(grain); err == nil && member != victim || o.ended(pause) {
			return
		}
	}
}

// ended waits for the end, for a while.
func (o *outage) ended(while time.Duration) bool {
	if while == 0 {
		select {
		case <-o.over:
			return true
		default:
			return false
		}
	}
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-o.over:
		return true
	case <-timer.C:
		return false
	}
}

func (o *outage) call(grain string) (member int, err error) {
	begin := time.Now()
	member, err = call(o.p, grain, o.m)
	took := time.Since(begin)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slowest = max(o.slowest, took)
	if err != nil {
		o.failed++
		o.failure = err
	}
	return member, err
}
