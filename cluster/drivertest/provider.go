package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// ProviderService makes providers of one kind, for processes that can meet.
type ProviderService struct {
	// New gives a provider for one more process.
	New func() driver.Provider
	// TTL is the lease time of the providers: how long it may take until a
	// member that crashed is removed, and a cluster is founded. Defaults to
	// ten seconds.
	TTL time.Duration
}

// Providers tests, in subtests, that a [driver.Provider] with leases gives all
// members the same views, in one order, and that leases end before a member is
// removed. Each case has a cluster of its own. It may be called in a
// testing/synctest bubble by way of [CheckProvider].
func Providers(t *testing.T, s ProviderService) {
	for _, c := range providerCases {
		t.Run(c.name, func(t *testing.T) {
			for _, err := range s.check(t.Context(), c) {
				t.Error(err)
			}
		})
	}
}

// CheckProvider is [Providers] without a test: it returns what it found, each
// with the name of its case, and nil if the provider keeps the contract.
func CheckProvider(ctx context.Context, s ProviderService) []error {
	var errs []error
	for _, c := range providerCases {
		for _, err := range s.check(ctx, c) {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errs
}

type providerCase struct {
	name string
	run  func(*providerTrial)
}

var providerCases = []providerCase{
	{"five members that join at once", joinAtOnce},
	{"drain and leave", drainAndLeave},
	{"a crash", crash},
	{"an observer", observe},
	{"an address is taken until its lease has ended", takenAddress},
	{"another guarantee is refused", refuseGuarantee},
	{"close ends all calls", closeEndsCalls},
}

func (s ProviderService) check(ctx context.Context, c providerCase) []error {
	if s.TTL <= 0 {
		s.TTL = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience+10*s.TTL)
	defer cancel()
	tr := &providerTrial{service: s, ctx: ctx, cluster: "kit-" + rand.Text(), views: make(map[uint64]driver.View)}
	c.run(tr)
	for _, p := range tr.processes {
		p.close()
	}
	return tr.errs
}

// providerTrial is one run of one case.
type providerTrial struct {
	service   ProviderService
	ctx       context.Context
	cluster   string
	processes []*process

	mu    sync.Mutex // guards the fields below
	views map[uint64]driver.View
	errs  []error
}

func (tr *providerTrial) errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.errs = append(tr.errs, fmt.Errorf(format, args...))
}

// process is one session.
type process struct {
	trial   *providerTrial
	member  driver.Member
	session driver.Session // nil if it could not be opened
	after   uint64
	closed  bool
}

func kitMember(n int) driver.Member {
	return driver.Member{
		ID: driver.MemberID(fmt.Sprintf("m%d-%s", n, rand.Text())), Address: fmt.Sprintf("kit.example:%d", 1000+n),
		Kinds: []driver.Kind{{Name: "Kit", Guarantee: driver.Leased}}, Versions: driver.Versions{Min: 1, Max: 1},
	}
}

func (tr *providerTrial) begin(m driver.Member) *process {
	p := &process{trial: tr, member: m}
	provider := tr.service.New()
	r := driver.Request{Cluster: tr.cluster, Member: m, BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}
	open := provider.Join
	if m.ID == "" {
		open = provider.Observe
	}
	session, err := open(tr.ctx, r)
	if err != nil {
		tr.errorf("%v: %w", m, err)
	} else {
		p.session = session
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.processes = append(tr.processes, p)
	return p
}

func (p *process) close() {
	if p.session == nil || p.closed {
		return
	}
	p.closed = true
	if err := p.session.Close(); err != nil {
		p.trial.errorf("closing %v: %w", p.member, err)
	}
}

// watch gives the next view, over passing errors, and checks that it is one of
// the cluster's.
func (p *process) watch() (driver.View, error) {
	for p.session != nil {
		v, err := p.session.Watch(p.trial.ctx, p.after)
		if p.trial.ctx.Err() != nil || errors.Is(err, driver.ErrRemoved) || errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrClosed) {
			return v, err
		}
		if err == nil {
			return v, p.look(v)
		}
		pause(p.trial.ctx, 10*time.Millisecond)
	}
	return driver.View{}, errors.New("it has no session")
}

// look checks a view; it fails if that is not newer than the last.
func (p *process) look(v driver.View) error {
	tr := p.trial
	if v.Epoch <= p.after {
		return fmt.Errorf("it is shown view %d after %d", v.Epoch, p.after)
	}
	p.after = v.Epoch
	if err := v.Validate(); err != nil {
		tr.errorf("%w", err)
	}
	if _, in := v.Member(p.member.ID); !in && p.member.ID != "" {
		tr.errorf("%v is shown view %d, which does not hold it", p.member, v.Epoch)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if other, known := tr.views[v.Epoch]; known && !reflect.DeepEqual(other, v) {
		tr.errs = append(tr.errs, fmt.Errorf("there are two views of epoch %d: %+v and %+v", v.Epoch, other, v))
	}
	tr.views[v.Epoch] = v
	if v.Previous >= v.Epoch {
		tr.errs = append(tr.errs, fmt.Errorf("view %d was made from %d", v.Epoch, v.Previous))
	}
	return nil
}

// until waits for a view.
func (p *process) until(what string, done func(driver.View) bool) {
	for {
		v, err := p.watch()
		if err != nil {
			p.trial.errorf("%v waits for a view with %s: %w", p.member, what, err)
			return
		}
		if done(v) {
			return
		}
	}
}

// holding waits for a view of these members, in any order.
func (p *process) holding(members ...*process) {
	want := make([]driver.MemberID, 0, len(members))
	for _, m := range members {
		want = append(want, m.member.ID)
	}
	slices.Sort(want)
	p.until(fmt.Sprint(want), func(v driver.View) bool {
		var got []driver.MemberID
		for _, m := range v.Members {
			got = append(got, m.ID)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// ends expects that the session ends with an error.
func (p *process) ends(want error) {
	for {
		if _, err := p.watch(); err != nil {
			if !errors.Is(err, want) {
				p.trial.errorf("%v: Watch ends with %w, want %w", p.member, err, want)
			}
			return
		}
	}
}

// cluster begins n members at once and waits until all are in.
func (tr *providerTrial) start(n int) []*process {
	members := make([]*process, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { members[i] = tr.begin(kitMember(i)) })
	}
	wg.Wait()
	for _, m := range members {
		wg.Go(func() { m.holding(members...) })
	}
	wg.Wait()
	return members
}

func joinAtOnce(tr *providerTrial) {
	begun := time.Now()
	for _, m := range tr.start(5) {
		if m.session == nil {
			continue
		}
		if lease := m.session.Lease(); lease == nil || !lease.Valid() || lease.Phase() != driver.LeaseValid {
			tr.errorf("%v has no valid lease", m.member)
		}
	}
	if passed := time.Since(begun); passed > 3*tr.service.TTL+10*time.Second {
		tr.errorf("founding a cluster took %v", passed)
	}
	for epoch, v := range tr.views {
		older, known := tr.views[v.Previous]
		if known && older.Incarnation != v.Incarnation {
			tr.errorf("view %d has incarnation %q, and %d, of which it was made, %q", epoch, v.Incarnation, v.Previous, older.Incarnation)
		}
		for other := range tr.views {
			if v.Previous < other && other < epoch {
				tr.errorf("view %d was made from %d, and there is %d", epoch, v.Previous, other)
			}
		}
	}
}

func drainAndLeave(tr *providerTrial) {
	members := tr.start(3)
	leaver := members[1]
	if leaver.session == nil {
		return
	}
	if err := leaver.session.Drain(tr.ctx); err != nil {
		tr.errorf("Drain: %w", err)
	}
	leaves := func(v driver.View) bool {
		m, in := v.Member(leaver.member.ID)
		return in && m.State == driver.Leaving
	}
	for _, m := range members {
		m.until("a member that leaves", leaves)
	}
	begun := time.Now()
	if err := leaver.session.Leave(tr.ctx); err != nil {
		tr.errorf("Leave: %w", err)
	}
	members[0].holding(members[0], members[2])
	members[2].holding(members[0], members[2])
	if passed := time.Since(begun); passed > tr.service.TTL/2 {
		tr.errorf("leaving took %v: as if the member had crashed", passed)
	}
	leaver.ends(driver.ErrRemoved)
	if lease := leaver.session.Lease(); lease != nil && lease.Valid() {
		tr.errorf("a member that has left has a valid lease")
	}
}

func crash(tr *providerTrial) {
	members := tr.start(3)
	last := time.Now() // no renewal can be later
	members[0].close()
	if members[0].session != nil {
		if lease := members[0].session.Lease(); lease != nil && lease.Valid() {
			tr.errorf("the lease of a session that was closed is valid")
		}
	}
	members[1].holding(members[1], members[2])
	members[2].holding(members[1], members[2])
	if passed := time.Since(last); passed > 3*tr.service.TTL+10*time.Second {
		tr.errorf("a member that crashed was removed after %v", passed)
	}
}

func observe(tr *providerTrial) {
	observer := tr.begin(driver.Member{Address: "kit.example:999"})
	members := tr.start(2)
	observer.holding(members...)
	if observer.session == nil || members[0].session == nil {
		return
	}
	if lease := observer.session.Lease(); lease != nil {
		tr.errorf("an observer has the lease %v", lease)
	}
	third := tr.begin(kitMember(3))
	observer.holding(members[0], members[1], third)
	if err := members[0].session.Leave(tr.ctx); err != nil {
		tr.errorf("Leave: %w", err)
	}
	observer.holding(members[1], third)
	if err := errors.Join(observer.session.Drain(tr.ctx), observer.session.Leave(tr.ctx)); err != nil {
		tr.errorf("an observer leaves: %w", err)
	}
}

func takenAddress(tr *providerTrial) {
	members := tr.start(2)
	again := kitMember(0) // the same address under another id
	members[0].close()
	successor := tr.begin(again)
	members[1].holding(members[1], successor)
	successor.holding(members[1], successor)
}

func refuseGuarantee(tr *providerTrial) {
	members := tr.start(2)
	m := kitMember(7)
	m.Kinds[0].Guarantee = driver.BestEffort
	odd := tr.begin(m)
	if _, err := odd.watch(); !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "Kit") {
		tr.errorf("a member with another guarantee: %w, want %w that names the kind", orNil(err), driver.ErrRefused)
	}
	third := tr.begin(kitMember(3))
	members[0].holding(members[0], members[1], third)
}

func closeEndsCalls(tr *providerTrial) {
	p := tr.start(1)[0]
	if p.session == nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.ends(driver.ErrClosed) })
	lease := p.session.Lease()
	wg.Go(func() {
		for last := lease.Phase(); ; {
			phase, err := lease.Watch(tr.ctx, last)
			if err != nil && !errors.Is(err, driver.ErrClosed) {
				tr.errorf("Watch of a lease whose session is closed: %w", err)
			}
			if err != nil {
				return
			}
			last = phase
		}
	})
	p.close()
	wg.Wait()
}
