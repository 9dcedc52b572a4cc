package partition

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/placement"
)

// What the names of the actors begin with that a member's lookup runs; see
// [NameOf].
const (
	OwnerName = "granary.owner"
	HostName  = "granary.host"
)

// Config is what a Lookup needs to know.
type Config struct {
	lookup.Config

	// Placing is told of a question, with its header or nil, that this member is asked as
	// an owner, and at its end how it was answered; the header that it returns goes
	// to the member that is asked to activate. It must not wait. May be nil, and
	// so may what it returns.
	Placing func(header actor.MessageHeader, id driver.Identity) (actor.MessageHeader, func(outcome string, at driver.MemberID))
	// Resend is how long an unanswered message to another member waits
	// before it is sent again. Defaults to 200 ms.
	Resend time.Duration
}

// Lookup finds the activation of an identity. Its methods may be called from
// several goroutines.
type Lookup struct {
	cfg    Config
	owner  *actor.PID
	host   *actor.PID
	dog    *actor.PID
	state  atomic.Pointer[viewState]
	ctx    context.Context
	cancel context.CancelFunc

	flights *lookup.Flights
	failure lookup.Failure

	mu     sync.Mutex     // guards what follows and the order of views
	causes map[string]any // of failures, by actor
}

// viewState is a view, its owners, and a channel that is closed when the next
// one comes.
type viewState struct {
	view  driver.View
	table *placement.Table
	next  chan struct{}
}

// New makes a lookup and, on a member, starts its actors. It finds nothing
// before the first SetView.
func New(cfg Config) (*Lookup, error) {
	if cfg.Resend <= 0 {
		cfg.Resend = 200 * time.Millisecond
	}
	if cfg.Refresh == nil {
		cfg.Refresh = func(uint64) {}
	}
	l := &Lookup{cfg: cfg, causes: make(map[string]any)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.flights = lookup.NewFlights(l.ctx, silent)
	l.state.Store(&viewState{next: make(chan struct{})})
	if cfg.Self == "" {
		return l, nil
	}
	owner, err := cfg.System.Root.SpawnNamed(ownerProps(l), NameOf(OwnerName, cfg.Self))
	if err != nil {
		return nil, fmt.Errorf("partition: start the owner: %w", err)
	}
	host, err := cfg.System.Root.SpawnNamed(hostProps(l), NameOf(HostName, cfg.Self))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("partition: start the host: %w", err), cfg.System.Root.StopFuture(owner).Wait())
	}
	l.owner, l.host = owner, host
	l.dog = cfg.System.Root.SpawnPrefix(l.watchdog(), "granary.watchdog")
	return l, nil
}

// SetView makes the lookup act by a newer view; an older one is ignored, and
// so is any after Close. It returns how many slots the view gives to another owner
// than the one before; none if there was none.
func (l *Lookup) SetView(v driver.View) (moved int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.state.Load()
	if old.table != nil && v.Epoch <= old.view.Epoch || l.ctx.Err() != nil {
		return 0
	}
	now := &viewState{view: v, table: placement.NewTable(v), next: make(chan struct{})}
	l.state.Store(now)
	close(old.next)
	if l.owner != nil {
		// The host first: it must know the view by which owners will ask it.
		l.cfg.System.Root.Send(l.host, viewEvent{now})
		l.cfg.System.Root.Send(l.owner, viewEvent{now})
	}
	return now.table.Moved(old.table)
}

// View gives the view that the lookup goes by.
func (l *Lookup) View() driver.View { return l.state.Load().view }

// StopBegun tells the lookup that an activation takes no more messages. After
// Close it does nothing.
func (l *Lookup) StopBegun(id driver.Identity, f driver.Fence) {
	if l.ctx.Err() != nil {
		return
	}
	l.cfg.System.Root.Send(l.host, beginEvent{placement.StopBegun{Identity: id, Fence: f}})
}

// LeaseChanged tells the lookup that the phase of the lease has changed, so that
// it acts by it at once. It reads it anyway before it starts anything.
func (l *Lookup) LeaseChanged() {
	if l.host != nil && l.ctx.Err() == nil {
		l.cfg.System.Root.Send(l.host, leaseEvent{})
	}
}

// Settle waits until this member's host has acted on all that it was told
// before: after a view that shows the member as leaving, it starts nothing
// more.
func (l *Lookup) Settle(ctx context.Context) error {
	_, err := actor.Ask[settled](ctx, l.cfg.System.Root, l.host, settleQuery{})
	return err
}

// Close stops the lookup's actors and ends every resolve under way. Once it
// has returned nothing more is activated; what is active is left to whoever
// started it.
func (l *Lookup) Close(ctx context.Context) error {
	l.flights.Close()
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.flights.Wait()
	if l.owner == nil {
		return nil
	}
	var errs []error
	// The host first: it goes on telling the owner what has stopped.
	for _, pid := range []*actor.PID{l.host, l.owner, l.dog} {
		if _, err := l.cfg.System.Root.StopFuture(pid).ResultContext(ctx); err != nil {
			errs = append(errs, fmt.Errorf("partition: stop %s: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}

// pidOf gives a placement actor of a member.
func pidOf(m driver.Member, name string) *actor.PID {
	return actor.NewPID(m.Address, NameOf(name, m.ID))
}

// NameOf is the name of a placement actor of a member. It names the member, as
// the PID of an activation does (rule 12): what was meant for an earlier member,
// whose process has joined again at the same address under a new id, meets no
// actor. The new one has not promised what the former had.
func NameOf(name string, id driver.MemberID) string { return name + "@" + string(id) }
