package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// process is one session.
type process struct {
	trial    *providerTrial
	setup    Setup
	provider driver.Provider
	member   driver.Member
	session  driver.Session // nil if it could not be opened
	after    uint64
	// before is the highest epoch that earlier sessions of the process saw.
	before uint64

	mu             sync.Mutex // guards the fields below
	leaves, closed bool
	trouble        string // the last passing error
}

func kitMember(n int) driver.Member {
	return driver.Member{
		ID: driver.MemberID(fmt.Sprintf("m%d-%s", n, rand.Text())), Address: fmt.Sprintf("kit.example:%d", 1000+n),
		Kinds: []driver.Kind{{Name: "Kit", Guarantee: driver.Leased}}, Versions: driver.Versions{Min: 1, Max: 1},
	}
}

// renamed gives an id for another life of the same process.
func renamed(id driver.MemberID) driver.MemberID { return id[:3] + driver.MemberID(rand.Text()) }

// String names a process in traces: the first two letters of the id tell which
// it is, and the next four which of its lives.
func (p *process) String() string { return short(p.member.ID) }

func short(id driver.MemberID) string {
	if id == "" {
		return "observer"
	}
	return string(id[:min(len(id), 7)])
}

// begin opens a session for a member, or an observer, that reaches the backend
// as the setup says. As the cluster does, it tries again, under a new id, when
// the provider says that the backend is not available just now.
func (tr *providerTrial) begin(m driver.Member, change ...func(*Setup)) *process {
	p := &process{trial: tr, member: m, setup: Setup{Address: tr.backend.Address, TTL: tr.ttl}}
	for _, c := range change {
		c(&p.setup)
	}
	p.provider = tr.service.New(p.setup)
	tr.mu.Lock()
	tr.splits = tr.splits || !p.provider.Leases()
	tr.mu.Unlock()
	for {
		err := p.open()
		if err == nil {
			break
		}
		if !errors.Is(err, driver.ErrUnavailable) || tr.ctx.Err() != nil {
			tr.errorf("%v joins: %w", p, err)
			break
		}
		pause(tr.ctx, 50*time.Millisecond)
		if m.ID != "" {
			p.member.ID = renamed(m.ID)
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.processes = append(tr.processes, p)
	return p
}

// by makes a process reach the backend by way of a link.
func by(l Link) func(*Setup) { return func(s *Setup) { s.Address = l.Address() } }

func (p *process) open() error {
	r := driver.Request{Cluster: p.trial.cluster, Member: p.member, BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}
	open := p.provider.Join
	if p.member.ID == "" {
		open = p.provider.Observe
	}
	session, err := open(p.trial.ctx, r)
	if err != nil {
		p.trial.notef("%v does not begin: %v", p, err)
		return err
	}
	p.trial.notef("%v begins", p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = session
	return nil
}

func (p *process) close() {
	p.mu.Lock()
	closed := p.closed || p.session == nil
	p.closed = true
	p.mu.Unlock()
	if closed {
		return
	}
	p.trial.notef("%v is closed", p)
	if err := p.session.Close(); err != nil {
		p.trial.errorf("closing %v: %w", p, err)
	}
}

// leave makes a member leave.
func (p *process) leave() {
	if p.session == nil {
		return
	}
	p.mu.Lock()
	p.leaves = true
	p.mu.Unlock()
	p.trial.notef("%v leaves", p)
	if err := p.session.Leave(p.trial.ctx); err != nil {
		p.trial.errorf("%v: Leave: %w", p, err)
	}
}

// valid reports whether a member that runs has a valid lease.
func (p *process) valid() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == nil || p.closed || p.leaves || p.member.ID == "" {
		return false
	}
	lease := p.session.Lease()
	return lease != nil && lease.Valid()
}

// watch gives the next view, over passing errors, and checks that it is one of
// the cluster's.
func (p *process) watch(ctx context.Context) (driver.View, error) {
	for p.session != nil {
		v, err := p.session.Watch(ctx, p.after)
		if err == nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		if ctx.Err() != nil || errors.Is(err, driver.ErrRemoved) || errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrClosed) {
			p.trial.notef("%v is told: %v", p, err)
			return v, err
		}
		if err == nil {
			return v, p.look(v)
		}
		if p.trouble != err.Error() {
			p.trouble = err.Error()
			p.trial.notef("%v is told: %v", p, err)
		}
		pause(ctx, 10*time.Millisecond)
	}
	return driver.View{}, errors.New("it has no session")
}

// look checks a view; it fails if that is not newer than the last.
func (p *process) look(v driver.View) error {
	tr := p.trial
	tr.notef("%v sees %s", p, describeView(v))
	if v.Epoch <= p.after {
		return fmt.Errorf("it is shown view %d after %d", v.Epoch, p.after)
	}
	if v.Epoch <= p.before {
		tr.errorf("%v is shown view %d, and had seen %d under an earlier id", p, v.Epoch, p.before)
	}
	p.after = v.Epoch
	if err := v.Validate(); err != nil {
		tr.errorf("%w", err)
	}
	if _, in := v.Member(p.member.ID); !in && p.member.ID != "" {
		tr.errorf("%v is shown view %d, which does not hold it", p, v.Epoch)
	}
	for _, other := range tr.all() {
		if tr.removed(other, v) && other.valid() {
			tr.errorf("%v is shown view %d without %v, whose lease is valid", p, v.Epoch, other)
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if other, known := tr.views[v.Epoch]; known && !reflect.DeepEqual(other, v) {
		tr.errs = append(tr.errs, fmt.Errorf("there are two views of epoch %d: %+v and %+v", v.Epoch, other, v))
	}
	tr.views[v.Epoch] = v
	return nil
}

// removed reports whether a view lacks a member that was in an older one.
func (tr *providerTrial) removed(p *process, v driver.View) bool {
	if _, in := v.Member(p.member.ID); in || p.member.ID == "" {
		return false
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for epoch, older := range tr.views {
		if _, in := older.Member(p.member.ID); in && epoch < v.Epoch {
			return true
		}
	}
	return false
}

// until waits for a view.
func (p *process) until(what string, done func(driver.View) bool) {
	for {
		v, err := p.watch(p.trial.ctx)
		if err != nil {
			p.trial.failsf("%v waits for a view with %s: %w", p, what, err)
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
		if _, err := p.watch(p.trial.ctx); err != nil {
			if !errors.Is(err, want) {
				p.trial.errorf("%v: Watch ends with %w, want %w", p, err, want)
			}
			return
		}
	}
}

// again expects that a member is removed, and begins its next session: by the
// same provider, at the same address, under a new id. It is called for one
// process at a time, or for several at once by [rejoin].
func (p *process) again() *process {
	p.ends(driver.ErrRemoved)
	if p.valid() {
		p.trial.errorf("%v is removed, and its lease is valid", p)
	}
	p.close()
	return p.succeed()
}

// succeed begins the next session of a process that was closed, as soon as
// the backend lets it.
func (p *process) succeed() *process {
	tr := p.trial
	next := &process{trial: tr, setup: p.setup, provider: p.provider, member: p.member, before: max(p.before, p.after)}
	next.member.ID = renamed(p.member.ID)
	for {
		err := next.open()
		if err == nil {
			break
		}
		if tr.ctx.Err() != nil {
			tr.errorf("%v does not join again: %w", p, err)
			break
		}
		pause(tr.ctx, 50*time.Millisecond)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.processes = append(tr.processes, next)
	return next
}
