package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// story is what happens to the cluster, and what is seen of it.
type story struct {
	options Options
	report  *report
	fleet   *fleet
	client  *client
	board   *board
	ledger  *ledger
	load    *load
	began   time.Time

	mu    sync.Mutex // guards facts
	facts facts
}

// since is the time of the story.
func (s *story) since() time.Duration { return time.Since(s.began) }

// play goes through the story until its end or the context's.
func (s *story) play(ctx context.Context) {
	if s.pause(ctx, s.options.KillAfter) && s.loseMember(ctx) && s.pause(ctx, s.options.AddAfter) {
		s.addMember(ctx)
	}
	if s.options.For == 0 && ctx.Err() == nil {
		s.report.eventf(s.since(), faint, "  it goes on until Ctrl-C; to lose another member: kill -9 and its pid")
	}
}

// pause waits for a time of the story; false says that it is over.
func (s *story) pause(ctx context.Context, until time.Duration) bool {
	timer := time.NewTimer(until - s.since())
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// loseMember kills the member that has been in the view longest, which is the
// one that numbers the views, and follows what becomes of its grains.
func (s *story) loseMember(ctx context.Context) bool {
	view := s.client.cluster.View()
	var victim *process
	var address string
	if len(view.Members) > 0 {
		address = view.Members[0].Address
		victim = s.fleet.at(address)
	}
	if victim == nil {
		s.report.eventf(s.since(), red, "! the client sees no member of the demo that could be killed")
		return false
	}
	lost, others := s.ledger.bury(victim.number)
	before := s.ledger.replies(others)
	anew, again := s.ledger.watch(lost, true), s.ledger.watch(others, false)
	owned := ownedAt(view, address, s.ledger.names(others))
	s.report.eventf(s.since(), red, "! SIGKILL to member %d (pid %d), which hosts %d grains and numbers the views",
		victim.number, victim.pid(), len(lost))
	killed := time.Now()
	victim.kill()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		_ = s.load.sweep(ctx, lost) // failures are in the stats
	}()
	defer func() { <-swept }()
	s.note(func(f *facts) {
		f.killed, f.victim, f.lost, f.others, f.owned = true, victim.number, len(lost), len(others), owned
	})

	bounded, cancel := context.WithDeadline(ctx, killed.Add(s.options.Bound))
	defer cancel()
	if s.client.awaitView(bounded, holds(address, false)) == nil {
		noticed := time.Since(killed)
		s.note(func(f *facts) { f.noticed = noticed })
		s.report.eventf(s.since(), plain, "  the others have noticed, %s after the kill; its grains begin anew elsewhere", seconds(noticed))
	}
	s.awaitAnew(bounded, anew, lost, killed)
	s.awaitKept(ctx, again, before, owned)
	return ctx.Err() == nil
}

// awaitAnew waits until all lost grains have begun anew.
func (s *story) awaitAnew(ctx context.Context, w *watch, lost []int, killed time.Time) {
	select {
	case <-w.done:
		took := time.Since(killed)
		s.note(func(f *facts) { f.answered, f.recovery = len(lost), took })
		s.report.eventf(s.since(), green, "  all %d answer again, %s after the kill: %s", len(lost), seconds(took), spread(s.ledger.tally(lost)))
	case <-ctx.Done():
		missing := s.ledger.missing(w)
		s.note(func(f *facts) { f.answered = len(lost) - missing })
		s.report.eventf(s.since(), red, "! %d of its grains have not answered again", missing)
	}
}

// awaitKept waits until all other grains have answered, and compares.
func (s *story) awaitKept(ctx context.Context, w *watch, before map[int]reply, owned int) {
	finish(ctx, w)
	kept := s.ledger.kept(before)
	s.note(func(f *facts) { f.kept = kept })
	p := green
	if kept < len(before) {
		p = red
	}
	s.report.eventf(s.since(), p, "  %d of the %d grains hosted elsewhere went on from their counts;\nthe killed member had owned %d of them",
		kept, len(before), owned)
}

func finish(ctx context.Context, w *watch) {
	select {
	case <-w.done:
	case <-ctx.Done():
	}
}

// addMember starts a member, and follows what moves to it and what does not.
func (s *story) addMember(ctx context.Context) {
	s.report.eventf(s.since(), bold, "+ a new member is started")
	number := len(s.fleet.all()) + 1
	s.note(func(f *facts) { f.added, f.addition = true, number })
	started := time.Now()
	processes, err := s.fleet.launch(ctx, 1)
	if err != nil {
		s.report.eventf(s.since(), red, "! %v", err)
		return
	}
	added := processes[0]
	address := added.address()
	active := s.ledger.active()
	before := s.ledger.replies(active)
	bounded, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if s.client.awaitView(bounded, holds(address, true)) != nil {
		return
	}
	joined := time.Since(started)
	moved := ownedAt(s.client.cluster.View(), address, s.ledger.names(active))
	s.note(func(f *facts) { f.joined, f.active, f.moved = joined, len(active), moved })
	s.report.eventf(s.since(), plain, "  member %d (pid %d) is in the view, %s after its start;\nthe ownership of %d of %d identities moved to it",
		number, added.pid(), seconds(joined), moved, len(active))

	again := s.ledger.watch(active, false)
	finish(ctx, again)
	stayed := s.ledger.kept(before)
	s.note(func(f *facts) { f.stayed = stayed })
	p := green
	if stayed < len(active) {
		p = red
	}
	s.report.eventf(s.since(), p, "  %d of %d grains stayed where they were, and count on", stayed, len(active))
	s.addGrains(ctx, number)
}

// addGrains calls new grains, of which the new member gets its share.
func (s *story) addGrains(ctx context.Context, number int) {
	fresh := s.ledger.open(s.options.fresh())
	if err := s.load.add(ctx, fresh); err != nil {
		return // it is among the failed calls
	}
	on := s.ledger.tally(fresh)
	s.note(func(f *facts) { f.fresh, f.taken = len(fresh), on[number] })
	s.report.eventf(s.since(), plain, "  %d new grains were called: %s", len(fresh), spread(on))
}

// ended notes that a member ended unasked.
func (s *story) ended(p *process) {
	lost, _ := s.ledger.bury(p.number)
	s.note(func(f *facts) { f.unasked = append(f.unasked, p.number) })
	s.report.eventf(s.since(), red, "! member %d (pid %d) with %d grains ended unasked: %v%s", p.number, p.pid(), len(lost), p.cause(), p.log.indented())
}

func (s *story) note(change func(*facts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.facts)
}

// rows writes a line a second until the context is done.
func (s *story) rows(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.report.row(row{at: s.since(), members: len(s.client.cluster.Members()), grains: s.hosted(), second: s.load.stats.take()})
		}
	}
}

// hosted is how many grains each process has, by its own word.
func (s *story) hosted() []int {
	var grains []int
	for _, p := range s.fleet.all() {
		n := -1
		if p.running() {
			n = int(p.grains.Load())
		}
		grains = append(grains, n)
	}
	return grains
}

// outcome gives the facts once everything has ended, with what the end told.
func (s *story) outcome(end error) facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.facts
	f.calls = s.load.stats.all()
	f.broken, f.repeated = s.ledger.breached()
	f.end = end
	for _, p := range s.fleet.all() {
		if f.killed && p.number == f.victim && !p.wasKilled() {
			f.end = errors.Join(f.end, fmt.Errorf("member %d was to be killed, and ended by %w", p.number, p.cause()))
		}
	}
	return f
}
