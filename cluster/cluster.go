package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// Cluster is one process's part in a cluster, as a member or as a client. Its
// methods may be called from several goroutines.
type Cluster struct {
	system *actor.ActorSystem
	config Config
	kinds  map[string]*Kind
	logger *slog.Logger
	remote *remote.Remote
	cache  *locationCache

	activations activations
	cancels     cancels
	rooms       map[string]*room // of the kinds that have a limit
	counters    counters
	survey      surveyor
	services    services
	// What the observer wants to know: of calls, and of methods.
	observesCalls, observesMethods bool

	// current is the membership this process has now; nil before the start,
	// after the end, and while it joins again.
	current atomic.Pointer[membership]

	// told is the view of the last ClusterTopology. It belongs to the
	// goroutine that follows the views, which ctx ends and wg waits for.
	told   driver.View
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	phase phase
	// failure is why the start failed.
	failure error
	// done is closed when Shutdown is over; result is its error.
	done   chan struct{}
	result error
}

type phase uint8

const (
	created phase = iota
	starting
	started
	stopping
	failed
)

// clusterKey is where a system keeps its cluster.
type clusterKey struct{}

// New makes a cluster of an actor system. It opens nothing and starts nothing
// before Start or StartClient. A system has one cluster.
func New(system *actor.ActorSystem, config *Config) *Cluster {
	c := &Cluster{system: system, kinds: make(map[string]*Kind), rooms: make(map[string]*room), done: make(chan struct{})}
	if config == nil {
		config = Configure("", nil, nil)
	}
	c.config = *config
	if o := c.config.observer; o != nil {
		c.observesCalls, c.observesMethods = o.Call != nil || o.Try != nil, o.Serve != nil
	}
	c.logger = slog.Default()
	if system != nil {
		c.logger = system.Logger().With("cluster", c.config.name)
		system.SetExtension(clusterKey{}, c)
	}
	c.cancels.activations = &c.activations
	c.activations.kinds = newKindCounts(c.config.kinds)
	c.survey.began = time.Now()
	c.cache = newLocationCache(c.config.cacheSize)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// From gives the cluster of an actor system, nil if it has none. An actor
// finds its own with From(ctx.ActorSystem()).
func From(system *actor.ActorSystem) *Cluster {
	c, _ := system.Extension(clusterKey{}).(*Cluster)
	return c
}

// ActorSystem is the system that the cluster was made of.
func (c *Cluster) ActorSystem() *actor.ActorSystem { return c.system }

// Name is the name that the cluster's members share.
func (c *Cluster) Name() string { return c.config.name }

// Start makes this process a member: it hosts the configured kinds. It
// returns when the process is in the view of the cluster, or with an error
// when it is not within the start timeout; then nothing is left running.
func (c *Cluster) Start() error { return c.StartContext(context.Background()) }

// StartContext is Start with a context that bounds the waiting.
func (c *Cluster) StartContext(ctx context.Context) error { return c.start(ctx, true) }

// StartClient makes this process a client: it calls grains and hosts none. It
// returns without waiting for members; calls wait for them, each within its
// own deadline.
func (c *Cluster) StartClient() error { return c.StartClientContext(context.Background()) }

// StartClientContext is StartClient with a context that bounds the waiting.
func (c *Cluster) StartClientContext(ctx context.Context) error { return c.start(ctx, false) }

func (c *Cluster) start(ctx context.Context, member bool) error {
	if err := c.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.startPatience())
	defer cancel()
	err := c.launch(ctx, member)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		// It is logged though it is returned: programs in the style of the
		// article ignore what Start returns.
		c.logger.Error("cluster: the cluster was not started", "error", err)
		c.phase, c.failure = failed, fmt.Errorf("%w; the start failed: %w", ErrNotStarted, err)
		return err
	}
	c.phase = started
	return nil
}

// begin checks what can be checked before anything is opened.
func (c *Cluster) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == failed {
		return fmt.Errorf("%w; make a new Cluster to try again", c.failure)
	}
	if c.phase != created {
		return ErrStarted
	}
	if c.system != nil && From(c.system) != c {
		return errors.New("cluster: the actor system has another cluster: make a system for each")
	}
	if c.system == nil {
		return errors.New("cluster: New was given no actor system: actor.NewActorSystem() makes one")
	}
	if err := c.config.validate(); err != nil {
		return err
	}
	c.phase = starting
	return nil
}

func (c *Cluster) launch(ctx context.Context, member bool) (err error) {
	for _, k := range c.config.kinds {
		c.kinds[k.name] = k
		if k.limit > 0 {
			c.rooms[k.name] = newRoom(k.limit, c.system, &c.counters.evicted)
		}
	}
	if member {
		c.config.tellPinned(c.logger)
	}
	c.remote = remote.NewRemote(c.system, c.config.remote,
		remote.WithHandshake(remote.Handshake{Cluster: c.config.name}), remote.WithCodec(codec{}), remote.WithService(c.serve))
	if err := c.remote.Start(); err != nil {
		c.services.stop()
		return fmt.Errorf("cluster: start remoting: %w", err)
	}
	if c.services.err != nil {
		c.services.stop()
		return errors.Join(c.services.err, c.remote.Shutdown(false))
	}
	if member {
		c.system.ProcessRegistry.Add(&c.cancels, cancelsName)
	}
	m, err := c.firstJoin(ctx, member)
	if err == nil {
		c.current.Store(m)
		c.wg.Go(func() { c.follow(m) })
		if member {
			err = m.awaitJoined(ctx)
		}
	}
	if err != nil {
		c.cancel()
		c.wg.Wait()
		c.services.stop()
		return errors.Join(err, c.retire(context.WithoutCancel(ctx)), c.remote.Shutdown(false))
	}
	c.logger.Info("cluster: cluster started", "member", c.MemberID(), "address", m.self.Address, "client", !member)
	return nil
}

// retire closes the membership that is left when its goroutine has ended.
func (c *Cluster) retire(ctx context.Context) error {
	if m := c.current.Swap(nil); m != nil {
		return m.close(ctx)
	}
	return nil
}

// running gives the membership for a call.
func (c *Cluster) running() (*membership, error) {
	if m := c.current.Load(); m != nil {
		return m, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.phase {
	case stopping:
		return nil, ErrShutdown
	case failed:
		return nil, c.failure
	case started, starting:
		return nil, errRejoining
	default:
		return nil, ErrNotStarted
	}
}

func (c *Cluster) isStopping() bool { return c.is(stopping) }
func (c *Cluster) isStarting() bool { return c.is(starting) }

func (c *Cluster) is(p phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == p
}

// errRejoining passes: the process was removed from the view and is on its
// way back under a new id.
var errRejoining = errors.New("cluster: this member was removed and is joining again")

// Members gives the members of the current view, in order of seniority; none
// before the first view has come.
func (c *Cluster) Members() []driver.Member { return c.View().Members }

// View gives the current view; its zero value before the first has come. It
// must not be changed.
func (c *Cluster) View() driver.View {
	if m := c.current.Load(); m != nil {
		return m.lookup.View()
	}
	return driver.View{}
}

// MemberID gives the id of this process in the view; empty for a client, and
// another one after it was removed and has joined again.
func (c *Cluster) MemberID() driver.MemberID {
	if m := c.current.Load(); m != nil {
		return m.self.ID
	}
	return ""
}

// bindHost is the host of an address.
func bindHost(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// Remote is what carries this process's messages, for those who watch over it:
// [remote.Remote.Peers] and [remote.Remote.Stats]. It is nil before the start, and
// where that failed. The cluster shuts it down.
func (c *Cluster) Remote() *remote.Remote {
	if c.is(started) || c.is(stopping) {
		return c.remote
	}
	return nil
}
