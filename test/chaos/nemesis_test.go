package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/granary-go/granary/test/chaos/history"
	"github.com/granary-go/granary/test/chaos/network"
)

// nemesis does the faults of a plan to a crew.
type nemesis struct {
	crew     *crew
	recorder *history.Recorder
	offset   time.Duration // of the clocks of a process that it starts, if that can be had
	struck   func()        // called when a fault has struck; nil for nobody

	wg   sync.WaitGroup
	mu   sync.Mutex // guards what follows
	bent map[int]func(from, to *network.Host) network.Link
	made int
	errs []error
}

// run does all faults, and returns when all are over.
func (n *nemesis) run(ctx context.Context, faults []fault) error {
	n.bent = make(map[int]func(from, to *network.Host) network.Link)
	began := time.Now()
	for _, f := range faults {
		if !pause(ctx, time.Until(began.Add(f.At))) {
			break
		}
		n.wg.Go(func() {
			if err := n.one(ctx, f); err != nil {
				n.mu.Lock()
				defer n.mu.Unlock()
				n.errs = append(n.errs, fmt.Errorf("%s: %w", f, err))
			}
		})
	}
	n.wg.Wait()
	return errors.Join(n.errs...)
}

// pause waits, and reports whether the context goes on.
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

// one does a fault and undoes it. One that meets a process that another fault has in its hands is left out.
func (n *nemesis) one(ctx context.Context, f fault) error {
	switch f.What {
	case kill, freeze:
		s := n.crew.members[f.Who[0]]
		if !s.mu.TryLock() {
			return nil
		}
		defer s.mu.Unlock()
		defer n.record(f)()
		return n.process(ctx, s, f)
	case rolling:
		defer n.record(f)()
		return n.roll()
	case outage:
		for _, s := range n.crew.services {
			if !s.mu.TryLock() {
				return nil
			}
			defer s.mu.Unlock()
		}
		defer n.record(f)()
		n.away(ctx, f.For)
		return nil
	default:
		defer n.record(f)()
		defer n.bend(n.links(f))()
		n.strikes()
		pause(ctx, f.For)
		return nil
	}
}

// strikes says that what a fault does has been done. A restart in turn says so when the first member is told to leave.
func (n *nemesis) strikes() {
	if n.struck != nil {
		n.struck()
	}
}

// record records that a fault begins; the function that it gives, that it ends.
func (n *nemesis) record(f fault) func() {
	var who []string
	for _, i := range f.Who {
		who = append(who, n.crew.members[i].processName())
	}
	kind := string(f.What)
	if f.What == freeze {
		kind = history.Pause
	}
	return n.recorder.Fault(history.Fault{Kind: kind, Targets: who, Text: f.String()}).End
}

// process kills a process and starts another in its place, or freezes it for a while.
func (n *nemesis) process(ctx context.Context, s *station, f fault) error {
	if f.What == kill {
		killed := s.processName()
		s.process.Kill()
		n.recorder.Killed(killed)
		n.strikes()
		pause(ctx, f.For)
		return n.restart(s)
	}
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	n.strikes()
	pause(ctx, f.For)
	return s.process.Signal(syscall.SIGCONT)
}

// restart starts the next process of a station, and has it do what the others do.
func (n *nemesis) restart(s *station) error {
	if err := s.start(n.offset); err != nil {
		return err
	}
	return s.tell(toBegin)
}

// roll restarts all members in turn.
func (n *nemesis) roll() error {
	for i, s := range n.crew.members {
		s.mu.Lock()
		if i == 0 {
			n.strikes()
		}
		err := s.leave()
		if err == nil {
			err = n.restart(s)
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// away takes the services away for a while.
func (n *nemesis) away(ctx context.Context, d time.Duration) {
	for _, s := range n.crew.services {
		s.stop()
	}
	n.strikes()
	pause(ctx, d)
	for _, s := range n.crew.services {
		s.again()
	}
}

// links tells how a fault bends the link between two hosts.
func (n *nemesis) links(f fault) func(from, to *network.Host) network.Link {
	hit := func(h *network.Host) bool {
		return slices.ContainsFunc(f.Who, func(i int) bool { return n.crew.members[i].host == h })
	}
	member := func(h *network.Host) bool {
		return slices.ContainsFunc(n.crew.members, func(s *station) bool { return s.host == h })
	}
	serves := func(h *network.Host) bool {
		return slices.ContainsFunc(n.crew.services, func(s *server) bool { return s.host == h })
	}
	blocked := func(yes bool) network.Link { return network.Link{Blocked: yes} }
	return func(from, to *network.Host) (l network.Link) {
		either := hit(from) || hit(to)
		switch f.What {
		case split: // the services are on the other side; clients see both
			return blocked(hit(from) != hit(to) && (member(from) || serves(from)) && (member(to) || serves(to)))
		case oneWay:
			return blocked(hit(from) && member(to) && !hit(to))
		case isolate:
			return blocked(either)
		case noService:
			return blocked(hit(from) && serves(to) || hit(to) && serves(from))
		case lossy:
			l.Loss = f.Much
		case shuffled:
			l.Reorder = f.Much
		case slow:
			l.Delay = time.Duration(f.Much) * time.Millisecond
			l.Jitter = l.Delay / 4
		case narrow:
			l.Rate = int(f.Much * 1024)
		}
		if !either {
			return network.Link{}
		}
		return l
	}
}

// bend adds what a fault does to the links, and gives the function that takes it away.
func (n *nemesis) bend(links func(from, to *network.Host) network.Link) func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made++
	id := n.made
	n.bent[id] = links
	n.apply()
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.bent, id)
		n.apply()
	}
}

// apply sets all links to what the faults make of them together. It is called with the mutex held.
func (n *nemesis) apply() {
	var hosts []*network.Host
	for _, s := range slices.Concat(n.crew.members, n.crew.clients) {
		hosts = append(hosts, s.host)
	}
	for _, s := range n.crew.services {
		hosts = append(hosts, s.host)
	}
	for _, from := range hosts {
		for _, to := range hosts {
			if from == to {
				continue
			}
			var l network.Link
			for _, links := range n.bent {
				l = worse(l, links(from, to))
			}
			n.crew.net.Set(from, to, l)
		}
	}
}

// worse has what is bad of both.
func worse(a, b network.Link) network.Link {
	l := network.Link{
		Blocked: a.Blocked || b.Blocked, Loss: max(a.Loss, b.Loss), Reorder: max(a.Reorder, b.Reorder), Duplicate: max(a.Duplicate, b.Duplicate),
		Delay: max(a.Delay, b.Delay), Jitter: max(a.Jitter, b.Jitter), Rate: a.Rate,
	}
	if b.Rate > 0 && (l.Rate == 0 || b.Rate < l.Rate) {
		l.Rate = b.Rate
	}
	return l
}
