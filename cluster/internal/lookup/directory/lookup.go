package directory

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
)

// ActorName is what the name of the actor begins with that a member's lookup
// runs; the member's id follows.
const ActorName = "granary.directory"

const (
	// DefaultConcurrency is how many operations a process has under way in the
	// store.
	DefaultConcurrency = 64
	// DefaultTimeout is how long one operation in the store may take.
	DefaultTimeout = 3 * time.Second
	// lastWork is how long Close waits for operations under way.
	lastWork = 500 * time.Millisecond
)

// ErrStore says that the store could not be reached. It is an error of Resolve, as those of package lookup are.
var ErrStore = errors.New("directory: the store of the identity lookup does not answer")

// silent is what those are told to whom nobody has answered.
const silent = "neither the store nor a member has answered yet"

// Config is what a Lookup needs to know.
type Config struct {
	lookup.Config

	// Store belongs to the lookup: Close closes it.
	Store driver.EntryStore
	// Concurrency bounds the operations that are under way in the store. More
	// wait in line; those whose callers have given up meanwhile are not made.
	// Defaults to DefaultConcurrency.
	Concurrency int
	// Timeout is how long one operation in the store may take. Defaults to
	// DefaultTimeout.
	Timeout time.Duration
}

// Lookup finds the activation of an identity. Its methods may be called from
// several goroutines.
type Lookup struct {
	cfg    Config
	host   *actor.PID // nil for a client
	pool   *pool
	choice *chooser
	state  atomic.Pointer[viewState]
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	flights *lookup.Flights
	failure lookup.Failure
	down    atomic.Bool // the store did not answer the last time

	mu     sync.Mutex // guards what follows and the order of views
	closed bool
}

// viewState is a view, and a channel that is closed when the next one comes.
type viewState struct {
	view driver.View
	next chan struct{}
}

// New makes a lookup and, on a member, starts its actor. It finds nothing
// before the first SetView. If it fails, the store is still the caller's.
func New(cfg Config) (*Lookup, error) {
	if cfg.Store == nil {
		return nil, errors.New("directory: there is no store")
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Refresh == nil {
		cfg.Refresh = func(uint64) {}
	}
	l := &Lookup{cfg: cfg, choice: newChooser(&cfg.Config)}
	l.pool = &pool{limit: cfg.Concurrency, wg: &l.wg}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.flights = lookup.NewFlights(l.ctx, silent)
	l.state.Store(&viewState{next: make(chan struct{})})
	if cfg.Self == "" {
		return l, nil
	}
	host, err := cfg.System.Root.SpawnNamed(hostProps(l), nameOf(cfg.Self))
	if err != nil {
		l.cancel()
		return nil, fmt.Errorf("directory: start the actor: %w", err)
	}
	l.host = host
	return l, nil
}

// SetView makes the lookup act by a newer view; an older one is ignored, and
// so is any after Close.
func (l *Lookup) SetView(v driver.View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.state.Load()
	if v.Epoch <= old.view.Epoch || l.closed {
		return
	}
	l.state.Store(&viewState{view: v, next: make(chan struct{})})
	close(old.next)
	l.tell(viewEvent{v})
}

// View gives the view that the lookup goes by.
func (l *Lookup) View() driver.View { return l.state.Load().view }

// StopBegun tells the lookup that an activation takes no more messages. After
// Close it does nothing.
func (l *Lookup) StopBegun(id driver.Identity, f driver.Fence) { l.tell(beginEvent{id, f}) }

// LeaseChanged tells the lookup that the phase of the lease has changed, so that
// it acts by it at once. It reads it anyway before it starts anything.
func (l *Lookup) LeaseChanged() { l.tell(leaseEvent{}) }

// tell gives an event to the actor, if there is one.
func (l *Lookup) tell(event any) {
	if l.host != nil && l.ctx.Err() == nil {
		l.cfg.System.Root.Send(l.host, event)
	}
}

// Settle waits until this member has acted on all that it was told before:
// after a view that shows the member as leaving, it starts nothing more.
func (l *Lookup) Settle(ctx context.Context) error {
	_, err := actor.Ask[settled](ctx, l.cfg.System.Root, l.host, settleQuery{})
	return err
}

// Close ends every resolve under way, stops the actor and closes the store.
// Operations under way in the store get half a second to end: the entries of
// what has just stopped are released. Once it has returned nothing more is
// activated; what is active is left to whoever started it.
func (l *Lookup) Close(ctx context.Context) error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return nil
	}
	l.flights.Close()
	idle, cancel := context.WithTimeout(ctx, lastWork)
	defer cancel()
	if l.host != nil {
		// What it was told before it has then acted on, as far as it can.
		_ = l.Settle(idle)
		l.pool.idle(idle)
	}
	l.cancel()
	var err error
	if l.host != nil {
		if _, stopped := l.cfg.System.Root.StopFuture(l.host).ResultContext(ctx); stopped != nil {
			err = fmt.Errorf("directory: stop %s: %w", l.host, stopped)
		}
	}
	l.flights.Wait()
	l.wg.Wait()
	return errors.Join(err, l.cfg.Store.Close())
}

// failed tells once that the actor has ended before its time.
func (l *Lookup) failed(cause any) {
	if l.ctx.Err() == nil {
		l.failure.Tell(&l.cfg.Config, nameOf(l.cfg.Self), cause)
	}
}

// nameOf is the name of a member's actor. It names the member, so that what was
// meant for an earlier one at the same address meets no actor.
func nameOf(id driver.MemberID) string { return ActorName + "@" + string(id) }

func pidOf(m driver.Member) *actor.PID { return actor.NewPID(m.Address, nameOf(m.ID)) }
