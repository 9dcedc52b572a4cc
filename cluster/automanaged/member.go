package automanaged

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/view"
)

// member is the session of a process that is, or wants to be, in the view: the
// goroutines, the clock and the network around a [view.Machine].
type member struct {
	config  config
	self    driver.MemberID
	logger  *slog.Logger // not to be called under mu
	journal *journal
	links   *links
	server  *grpc.Server
	board   *board
	// release ends the provider's session; met are the addresses of a view that
	// removed this member, former is the newest view that it was in.
	release func(met []string, former uint64)

	start  time.Time
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	wg     sync.WaitGroup // the loops and the server
	pings  sync.WaitGroup
	poke   chan struct{} // tells run that the machine may want its tick sooner
	closer sync.Once

	mu      sync.Mutex // guards the fields below; effects are started under it, in order
	machine *view.Machine
	closed  bool
}

// join opens the ping port and starts to ping.
func join(ctx context.Context, c config, r driver.Request, former uint64, release func(met []string, former uint64)) (*member, error) {
	listener, err := c.open(ctx, cmp.Or(c.bindHost, r.BindHost))
	if err != nil {
		return nil, err
	}
	if r.Guard != nil {
		listener, c.guard = r.Guard.Listen(listener, regular), r.Guard
	}
	self, err := c.describe(r, listener.Addr())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	m := &member{
		config: c, self: r.Member.ID, logger: r.Logger, journal: newJournal(r.Logger), board: newBoard(), release: release,
		start: time.Now(), poke: make(chan struct{}, 1),
	}
	m.links = newLinks(c, m.connectionLost)
	m.machine = view.New(view.Config{
		Cluster: r.Cluster, Self: self, Hosts: c.hosts,
		Interval: view.Time(c.refresh), Quick: view.Time(quickest), Missed: c.missed,
		Incarnation: rand.Text(), Former: former, UnixMilli: m.start.UnixMilli(),
	})
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.server = m.newServer(r.Cluster)
	m.wg.Go(func() {
		if err := m.server.Serve(listener); err != nil && m.ctx.Err() == nil {
			m.logger.Error("automanaged: the ping port failed", "address", listener.Addr().String(), "error", err)
		}
	})
	m.wg.Go(func() {
		seeks := func() bool {
			shown, _ := m.board.read()
			return shown.view.Epoch == 0
		}
		c.keepResolving(m.ctx, seeks, func(entry string, addresses []string) {
			m.step(view.Resolved{Host: entry, Addresses: addresses})
		})
	})
	m.wg.Go(m.run)
	m.wg.Go(func() { m.journal.run(m.ctx) })
	return m, nil
}

// open listens on the ping port.
func (c config) open(ctx context.Context, host string) (net.Listener, error) {
	address := net.JoinHostPort(host, strconv.Itoa(c.port))
	listener, err := c.listen(ctx, address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("automanaged: ping port %d is in use on %q; give this member another port, and name that in the lists of hosts: %w", c.port, host, err)
	case err != nil:
		return nil, fmt.Errorf("automanaged: cannot open ping port %d on %q: %w", c.port, host, err)
	}
	return listener, nil
}

// describe makes the entry that others see of this process, and checks it
// against the limits that they will hold it to.
func (c config) describe(r driver.Request, bound net.Addr) (view.Entry, error) {
	ping, err := c.pingAddress(r.Member.Address, bound)
	if err != nil {
		return view.Entry{}, err
	}
	e := view.Entry{Member: r.Member, Ping: ping}
	e.Member.State = driver.Active
	e.Member.Kinds = slices.SortedFunc(slices.Values(r.Member.Kinds), func(a, b driver.Kind) int { return cmp.Compare(a.Name, b.Name) })
	if err := e.Validate(); err != nil {
		return view.Entry{}, fmt.Errorf("automanaged: %w", err)
	}
	if n := proto.Size(entryToWire(e)); n > maxDescription {
		return view.Entry{}, fmt.Errorf("automanaged: the description of this member has %d bytes, its kinds and labels: the limit is %d; give them shorter names, or a process fewer of them",
			n, maxDescription)
	}
	return e, checkCluster(r.Cluster)
}

// maxDescription bounds the description of a member, in bytes: it fits into a request with the rest of a greeting.
const maxDescription = maxRequest - 8<<10

func checkCluster(name string) error {
	if err := view.CheckText("the cluster's name", name); err != nil {
		return fmt.Errorf("automanaged: %w", err)
	}
	return nil
}

// run gives the machine its ticks.
func (m *member) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			m.step(view.Tick{})
		case <-m.poke:
		case <-m.ctx.Done():
			return
		}
		m.mu.Lock()
		wake, wanted := m.machine.Wake()
		wanted = wanted && !m.closed
		m.mu.Unlock()
		timer.Stop()
		if wanted {
			timer.Reset(time.Duration(wake) - time.Since(m.start))
		}
	}
}

// step feeds the machine and starts what it wants done. It gives the answer to
// a ping that was received; nil when the session is closed.
func (m *member) step(e view.Event) view.Effect {
	answer, forgotten := m.locked(e)
	for _, c := range forgotten {
		c.giveUp()
	}
	return answer
}

// locked does the part of a step that is under the lock, and gives the
// connections that are to be closed after it.
func (m *member) locked(e view.Event) (answer view.Effect, forgotten []*link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil
	}
	for _, effect := range m.machine.Step(view.Time(time.Since(m.start)), e) {
		switch effect := effect.(type) {
		case view.Answer, view.Refuse:
			answer = effect
		case view.Send:
			m.pings.Go(func() { m.ping(effect) })
		case view.Note:
			m.journal.add(effect)
		case view.Forget:
			if c := m.links.take(effect.Address); c != nil {
				forgotten = append(forgotten, c)
			}
		default:
			m.show(effect)
		}
	}
	select {
	case m.poke <- struct{}{}:
	default:
	}
	return answer, forgotten
}

// show puts on the board what the machine has decided.
func (m *member) show(e view.Effect) {
	m.board.post(func(p *posted) {
		switch e := e.(type) {
		case view.Publish:
			p.view, p.held = e.View, ""
		case view.Removed:
			p.view, _ = m.machine.View()
			p.over = driver.ErrRemoved
		case view.Left:
			p.left = true
		case view.Held:
			p.held = e.Why
		}
	})
}

// connectionLost is told by the links.
func (m *member) connectionLost(address string) { m.step(view.Lost{Address: address}) }

func (m *member) ping(s view.Send) {
	ctx, cancel := context.WithTimeout(m.ctx, m.config.timeout())
	defer cancel()
	m.step(m.links.ping(ctx, s))
}
