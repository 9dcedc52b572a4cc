package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
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

// Errors of Resolve. They come when the context is done, joined with its
// error: until then the lookup waits for what it needs.
var (
	// ErrNoView: no view has come from the membership provider yet.
	ErrNoView = errors.New("directory: no view of the cluster yet")
	// ErrNoHost: no active member of the view hosts the kind.
	ErrNoHost = errors.New("directory: no member hosts the kind")
	// ErrNotYet: no member takes the activation now.
	ErrNotYet = errors.New("directory: the grain has no place yet")
	// ErrNoAnswer: the member that was asked did not answer.
	ErrNoAnswer = errors.New("directory: no answer from the member")
	// ErrStore: the store could not be reached.
	ErrStore = errors.New("directory: the store of the identity lookup does not answer")
	// ErrClosed: the lookup has been closed.
	ErrClosed = errors.New("directory: lookup is closed")
	// ErrFailed is what Config.Failed is told.
	ErrFailed = errors.New("directory: the actor has ended")
)

// Activator starts activations on this member. It is called by one goroutine at
// a time and must not wait.
type Activator interface {
	// Activate starts an activation and returns its PID. The lookup watches
	// the PID: when it has stopped, so has the activation. header is that of the
	// question that caused it, nil if it had none.
	Activate(id driver.Identity, f driver.Fence, header actor.MessageHeader) *actor.PID
}

// Config is what a Lookup needs to know.
type Config struct {
	System *actor.ActorSystem
	// Self is this member's id; empty for a client.
	Self driver.MemberID
	// Activator is nil for a client.
	Activator Activator
	// Lease is this member's, by which it hosts kinds that are leased or strict;
	// nil if it has none.
	Lease driver.Lease
	// Store belongs to the lookup: Close closes it.
	Store driver.EntryStore
	// Strategies choose the members of new activations, by the name that the
	// view gives to a kind's; see partition.Config.
	Strategies map[string]placement.Pick
	// Refresh is told that a view of at least this epoch exists. It must not
	// wait. May be nil.
	Refresh func(epoch uint64)
	// Failed is told, at most once, that the member's actor has ended before
	// Close, which it cannot get over: the member has to leave and join again. It
	// gets an ErrFailed, must not wait, and must not call Close. May be nil.
	Failed func(err error)
	// Header gives the header of a question to a member, by the context of who
	// asks; among those who share a question, of the first. May be nil.
	Header func(ctx context.Context) actor.MessageHeader
	Logger *slog.Logger
	// Concurrency bounds the operations that are under way in the store. More
	// wait in line; those whose callers have given up meanwhile are not made.
	// Defaults to DefaultConcurrency.
	Concurrency int
	// Timeout is how long one operation in the store may take. Defaults to
	// DefaultTimeout.
	Timeout time.Duration
}

// Activation says where an identity lives.
type Activation struct {
	Member driver.Member
	Fence  driver.Fence
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

	failure sync.Once
	down    atomic.Bool // the store did not answer the last time

	mu      sync.Mutex // guards what follows and the order of views
	flights map[question]*flight
	closed  bool
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
	l := &Lookup{cfg: cfg, choice: newChooser(&cfg), flights: make(map[question]*flight)}
	l.pool = &pool{limit: cfg.Concurrency, wg: &l.wg}
	l.ctx, l.cancel = context.WithCancel(context.Background())
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
	l.wg.Wait()
	return errors.Join(err, l.cfg.Store.Close())
}

// failed tells once that the actor has ended before its time.
func (l *Lookup) failed(cause any) {
	if l.ctx.Err() != nil {
		return
	}
	l.failure.Do(func() {
		err := fmt.Errorf("%w: %s", ErrFailed, nameOf(l.cfg.Self))
		if cause != nil {
			err = fmt.Errorf("%w: %v", err, cause)
		}
		l.cfg.Logger.Error("directory: this member can place and host no more grains", "error", err)
		if l.cfg.Failed != nil {
			l.cfg.Failed(err)
		}
	})
}

// nameOf is the name of a member's actor. It names the member, so that what was
// meant for an earlier one at the same address meets no actor.
func nameOf(id driver.MemberID) string { return ActorName + "@" + string(id) }

func pidOf(m driver.Member) *actor.PID { return actor.NewPID(m.Address, nameOf(m.ID)) }
