package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/internal/door"
)

// nowhere is the address of an actor system that no transport serves.
const nowhere = "nonhost"

// Remote connects an actor system with others. Its methods may be called by any
// goroutine.
type Remote struct {
	system   *actor.ActorSystem
	config   Config
	logger   *slog.Logger
	cluster  string
	member   atomic.Pointer[string]
	services []func(grpc.ServiceRegistrar)
	serial   serial

	incarnation uint64
	attempts    atomic.Uint64 // numbers the attempts to reach peers
	stats       counters
	exposed     sync.Once            // the warning of warnIfExposed
	often       actor.ShouldThrottle // warnings of connections that were turned away

	// Set by Start, and not changed afterwards.
	address string
	server  *grpc.Server
	door    *door.Door
	hall    *door.Hall
	ctx     context.Context
	cancel  context.CancelFunc
	dials   chan struct{} // holds an entry for each attempt under way

	wg        sync.WaitGroup
	endpoints endpointMap
	arrivals  arrivals
	number    atomic.Uint64 // from which on messages to a new endpoint are numbered
	done      chan struct{} // closed when Shutdown is through

	mu    sync.Mutex // guards state, and the making of endpoints
	state state
	grave *endpoint // stands for every peer once the remote shuts down
	crowd *endpoint // stands for every peer beyond the limit; set by Start
}

type state uint8

const (
	stateNew state = iota
	stateStarted
	stateShutDown
)

// NewRemote returns a remote for system. It does nothing until [Remote.Start].
// It panics if system or config is nil.
func NewRemote(system *actor.ActorSystem, config *Config, opts ...Option) *Remote {
	if system == nil || config == nil {
		panic("remote: NewRemote needs a system and a configuration")
	}
	r := &Remote{
		system: system, config: *config, logger: system.Logger(),
		incarnation: rand.Uint64() | 1,
		done:        make(chan struct{}),
		often:       actor.NewThrottle(1, time.Minute, nil),
	}
	if config.tls != nil {
		config.tls.log.Store(r.logger)
	}
	r.serial.codecs = slices.Clone(config.serializers)
	r.arrivals.most = 2 * config.maxPeers // as many as may be connected
	r.SetMember("")
	for _, opt := range opts {
		opt(r)
	}
	return r
}

// SetMember sets the id with which this process introduces itself from the next
// connection on. A process that joins a cluster again has a new one.
func (r *Remote) SetMember(id string) { r.member.Store(&id) }

func (r *Remote) nextAttempt() uint64 { return r.attempts.Add(1) }

func (r *Remote) memberID() string { return *r.member.Load() }

// numbered notes that the messages to a peer were numbered up to n. Should the peer be
// needed again, it never sees one of these numbers twice.
func (r *Remote) numbered(n uint64) {
	for old := r.number.Load(); old < n && !r.number.CompareAndSwap(old, n); old = r.number.Load() {
	}
}

// Address returns host:port as others know this process, "" before Start.
func (r *Remote) Address() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.address
}

// Start listens, and gives the actor system its address. After an error, such as
// [ErrPortInUse] or [ErrBadConfig], it may be called again; after a success it
// returns [ErrStarted], after a shutdown [ErrShutDown].
func (r *Remote) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case stateStarted:
		return ErrStarted
	case stateShutDown:
		return ErrShutDown
	}
	if err := r.check(); err != nil {
		return err
	}
	listener, address, err := r.listen()
	if err != nil {
		return err
	}
	r.hall = door.NewHall(r.config.maxIncoming, r.config.requestTimeout)
	server, err := r.newServer()
	if err != nil {
		_ = listener.Close() // nothing was accepted
		return err
	}
	if err := r.startActivator(); err != nil {
		_ = listener.Close() // nothing was accepted
		return fmt.Errorf("%w: WithKinds: %w", ErrBadConfig, err)
	}
	for _, register := range r.services {
		register(server)
	}
	r.warnOfCertificate(address)
	r.state, r.address = stateStarted, address
	r.serial.self = address
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.server = server
	r.door = r.guard(listener, 0)
	r.grave = newEndpoint(r, "")
	r.grave.link.close()
	r.crowd = newEndpoint(r, "")
	r.crowd.link.close()
	r.crowd.refusal = tooManyPeers
	r.dials = make(chan struct{}, r.config.maxDials)
	r.system.ProcessRegistry.SetAddress(address)
	r.system.ProcessRegistry.RegisterAddressResolver(func(pid *actor.PID) (actor.Process, bool) {
		return r.endpoint(pid.Address), true
	})
	r.wg.Go(func() { r.serve(r.door) })
	r.logger.Info("remote: listening", "address", address, "on", listener.Addr())
	return nil
}

func (r *Remote) check() error {
	if a := r.system.Address(); a != nowhere {
		return fmt.Errorf("%w: the actor system has an address already, %s", ErrBadConfig, a)
	}
	if len(r.cluster) > maxName || len(r.memberID()) > maxName {
		return fmt.Errorf("%w: the names of cluster and member have at most %d bytes", ErrBadConfig, maxName)
	}
	return r.config.check()
}

func (r *Remote) listen() (net.Listener, string, error) {
	on := net.JoinHostPort(r.config.host, strconv.Itoa(r.config.port))
	listener, err := r.config.listen(context.Background(), on)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, "", fmt.Errorf("%w: %w", ErrPortInUse, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("remote: cannot listen on %s: %w", on, err)
	}
	address := r.config.address(listener.Addr())
	if err := checkAddress(address); err != nil {
		_ = listener.Close() // nothing was accepted
		return nil, "", fmt.Errorf("%w: others could not reach this process: %w", ErrBadConfig, err)
	}
	return listener, address, nil
}

func (r *Remote) serve(listener net.Listener) {
	if err := r.server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		r.logger.Error("remote: no longer accepting connections", "error", err)
	}
}

const tooManyPeers = "remote: too many peers at a time (WithPeerLimits)"

// endpoint returns the one for the peer at address.
func (r *Remote) endpoint(address string) *endpoint {
	return r.endpointUpTo(address, r.config.maxPeers)
}

// endpointUpTo makes an endpoint if there are fewer than most.
func (r *Remote) endpointUpTo(address string, most int) *endpoint {
	if ep, ok := r.endpoints.Load(address); ok {
		return ep
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ep, ok := r.endpoints.Load(address); ok {
		return ep
	}
	if r.state != stateStarted {
		return r.grave
	}
	if r.endpoints.Len() >= most {
		return r.crowd
	}
	ep := newEndpoint(r, address)
	r.endpoints.Add(address, ep)
	return ep
}

// Disconnect ends the connection to the process at address as if it were lost:
// what waits for it is told. A cluster calls it for a member that is gone, so
// that nobody waits for the keep-alive. It has no effect without a connection,
// and the next message to the address connects again.
func (r *Remote) Disconnect(address string) {
	if ep, ok := r.endpoints.Load(address); ok {
		ep.disconnect()
	}
}

// Shutdown disconnects. If graceful, what was sent before is written first and
// each peer says goodbye, within the goodbye timeout (2 seconds by default);
// [ErrGoodbyeTimeout] says that it was not enough. Either way every connection is
// closed and every goroutine ended when it returns; what is sent to other
// processes from then on is a dead letter. Until a peer has said goodbye, what it
// sends is delivered and may be answered. Further calls wait for the first one
// and return nil, and so does a call before Start.
func (r *Remote) Shutdown(graceful bool) error {
	r.mu.Lock()
	before := r.state
	r.state = stateShutDown
	r.mu.Unlock()
	switch before {
	case stateShutDown:
		<-r.done
		return nil
	case stateNew:
		close(r.done)
		return nil
	}
	defer close(r.done)
	deadline := time.NewTimer(r.config.goodbyeTimeout)
	defer deadline.Stop()
	var err error
	if graceful {
		err = r.leave(deadline.C)
	}
	for ep := range r.endpoints.All() {
		ep.happened(event{kind: eventClose})
	}
	for ep := range r.endpoints.All() {
		<-ep.gone
	}
	r.stopServer(graceful && err == nil, deadline.C)
	r.cancel()
	r.wg.Wait()
	r.logger.Info("remote: shut down", "address", r.address)
	return err
}

// leave says goodbye to every peer and waits until all have answered.
func (r *Remote) leave(deadline <-chan time.Time) error {
	for ep := range r.endpoints.All() {
		ep.leave()
	}
	for ep := range r.endpoints.All() {
		select {
		case <-ep.gone:
		case <-deadline:
			return fmt.Errorf("%w: %s", ErrGoodbyeTimeout, ep.address)
		}
	}
	return nil
}

// stopServer ends it. Gracefully, what the last streams ended with gets out.
func (r *Remote) stopServer(graceful bool, deadline <-chan time.Time) {
	if graceful {
		stopped := make(chan struct{})
		r.wg.Go(func() {
			defer close(stopped)
			r.server.GracefulStop()
		})
		select {
		case <-stopped:
			return
		case <-deadline:
		}
	}
	r.server.Stop()
}
