package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// membership is one incarnation of this process in the cluster: its id, its
// session with the provider, and its lookup. It ends when the process leaves
// or is removed; a process that was removed gets a new one.
type membership struct {
	self    driver.Member // without an ID for a client
	session driver.Session
	lease   driver.Lease // nil where the provider has none, and for a client
	lookup  identityLookup

	joined     chan struct{} // closed by the first view that holds self
	joinedOnce sync.Once
	leaving    chan struct{} // closed by the first view that shows self as leaving
	leaveOnce  sync.Once
	removed    chan struct{} // closed when the view no longer holds self
	fenced     chan struct{} // closed when the lease has ended
	refused    chan struct{} // closed when the cluster does not take this member; refusal is why
	refusal    error
	successor  chan *membership // gets the one that this process joined again with

	complaint atomic.Pointer[error] // the provider's last passing error
	opened    atomic.Bool           // all slots that it owns were open at one moment

	// ctx ends with the cluster's, or when the lookup has failed.
	ctx     context.Context
	cancel  context.CancelFunc
	failure atomic.Pointer[error]
}

// ClusterTopology is published on the event stream of the actor system for
// every view that this process takes notice of.
type ClusterTopology struct {
	View driver.View
	// Joined and Left are the differences to the view before.
	Joined, Left []driver.Member
	// MovedSlots is how many of the 4,096 slots of identities have another owner
	// than in the view before of the same membership; none in its first, and above
	// [WithIdentityLookup].
	MovedSlots int
}

const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = 2 * time.Second
	// fenceTimeout is how long a removed member waits for its activations to
	// stop before it joins again.
	fenceTimeout = 10 * time.Second
	// goneGrace is how long the connection to a member that is gone is kept,
	// for the answers of one that has just left.
	goneGrace = 3 * time.Second
)

// join opens a session and a lookup under a new id.
func (c *Cluster) join(ctx context.Context, member bool) (_ *membership, err error) {
	m := &membership{
		self:   driver.Member{Address: c.remote.Address()},
		joined: make(chan struct{}), leaving: make(chan struct{}), removed: make(chan struct{}),
		fenced: make(chan struct{}), refused: make(chan struct{}), successor: make(chan *membership, 1),
	}
	m.ctx, m.cancel = context.WithCancel(c.ctx)
	defer func() {
		if err != nil {
			m.cancel() // else each try would leave a context behind
		}
	}()
	request := driver.Request{Cluster: c.config.name, BindHost: bindHost(c.remote.Address()), Logger: c.logger}
	request.TLS, request.Guard = c.config.remote.TLS(), c.remote.Guard()
	open := c.config.provider.Observe
	if member {
		m.self.ID = newMemberID()
		m.self.Kinds, m.self.Labels = c.config.describedKinds(), c.config.labels
		m.self.Versions = driver.Versions{Min: placement.ProtocolVersion, Max: placement.ProtocolVersion}
		open = c.config.provider.Join
	}
	c.remote.SetMember(string(m.self.ID))
	request.Member = m.self
	if m.session, err = open(ctx, request); err != nil {
		return nil, fmt.Errorf("cluster: membership provider: %w", err)
	}
	if m.lease = m.session.Lease(); m.lease == nil && member && c.config.provider.Leases() {
		err = fmt.Errorf("cluster: membership provider: %T says that it has leases, and gave none", c.config.provider)
		return nil, errors.Join(err, m.session.Close())
	}
	if m.lookup, err = c.newLookup(ctx, m); err != nil {
		return nil, errors.Join(err, m.session.Close())
	}
	return m, nil
}

// fail ends a membership whose lookup can no longer promise anything: the
// member leaves and joins again.
func (m *membership) fail(cause error) {
	m.failure.Store(&cause)
	m.cancel()
}

func (m *membership) isMember() bool { return m.self.ID != "" }

// awaitJoined waits for the first view that holds this member. If that does not
// come in time, what the provider last said tells why.
func (m *membership) awaitJoined(ctx context.Context) error {
	select {
	case <-m.joined:
		return nil
	case <-m.refused:
		return m.refusal
	case next := <-m.successor: // its lease ended, or its store was emptied, meanwhile
		return next.awaitJoined(ctx)
	case <-ctx.Done():
	}
	err := fmt.Errorf("cluster: not taken into the view in time (WithStartTimeout says how long Start waits): %w", ctx.Err())
	if said := m.complaint.Load(); said != nil {
		return fmt.Errorf("%w; the membership provider said: %w", err, *said)
	}
	return err
}

func (m *membership) hasJoined() bool {
	select {
	case <-m.joined:
		return true
	default:
		return false // in no view, it hosts nothing
	}
}

// close ends a membership whose grains have stopped.
func (m *membership) close(ctx context.Context) error {
	m.cancel()
	return errors.Join(m.lookup.Close(ctx), m.session.Close())
}

// follow acts on the views as they come, and joins again when this member was
// removed, until the cluster's context is done.
func (c *Cluster) follow(m *membership) {
	for m != nil {
		c.keepLease(m)
		err := c.watch(m)
		switch {
		case errors.Is(err, driver.ErrRefused):
			if m.refuse(err); c.isStarting() {
				return // Start says so
			}
		case !errors.Is(err, driver.ErrRemoved):
			return
		}
		close(m.removed)
		if c.isStopping() {
			return // as it wanted, or what it had left to do it does itself
		}
		next := c.rejoin(m, err)
		if next != nil {
			m.successor <- next
		}
		m = next
	}
}

// refuse ends the membership of a process that the cluster does not take.
func (m *membership) refuse(why error) {
	m.refusal = fmt.Errorf("cluster: not taken into the view: %w", why)
	close(m.refused)
}

// watch applies views until the session ends. Passing errors, and views that
// cannot be used, are retried with growing pauses; that is done here for all
// providers.
func (c *Cluster) watch(m *membership) error {
	after, retry := m.lookup.View().Epoch, firstRetry
	for {
		view, err := m.session.Watch(m.ctx, after)
		if cause := m.failure.Load(); cause != nil {
			return fmt.Errorf("%w: %w", driver.ErrRemoved, *cause)
		}
		if c.ctx.Err() != nil || errors.Is(err, driver.ErrRemoved) || errors.Is(err, driver.ErrClosed) || errors.Is(err, driver.ErrRefused) {
			return err
		}
		if err == nil {
			if err = usable(view, after); err == nil {
				c.apply(m, view)
			} else {
				c.counters.views.Add(1)
			}
			after = max(after, view.Epoch)
		}
		if err == nil {
			retry = firstRetry
			continue
		}
		m.complaint.Store(&err)
		c.logger.Warn("cluster: no new view of the cluster; asking the membership provider again", "error", err, "pause", retry)
		c.pause(retry)
		retry = min(2*retry, lastRetry)
	}
}

// usable refuses a view that is malformed, or not newer than the last.
func usable(view driver.View, after uint64) error {
	if view.Epoch <= after {
		return fmt.Errorf("cluster: view refused: its epoch %d is not above %d", view.Epoch, after)
	}
	if err := view.Validate(); err != nil {
		return fmt.Errorf("cluster: view refused: %w", err)
	}
	return nil
}

// pause waits for about d; false says that the cluster has ended.
func (c *Cluster) pause(d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// apply makes everything here act by a newer view. What has changed is told
// against the last view that was told of, be it of an earlier membership.
func (c *Cluster) apply(m *membership, view driver.View) {
	moved := m.lookup.SetView(view)
	members := make(map[driver.MemberID]bool, len(view.Members))
	for _, member := range view.Members {
		members[member.ID] = true
	}
	c.cache.retain(func(id driver.MemberID) bool { return members[id] })
	event := &ClusterTopology{View: view, Joined: difference(view, c.told), Left: difference(c.told, view), MovedSlots: moved}
	c.told = view
	for _, gone := range event.Left {
		c.disconnect(gone)
		c.logger.Info("cluster: member left", "member", gone.ID, "address", gone.Address, "epoch", view.Epoch)
	}
	for _, joined := range event.Joined {
		c.logger.Info("cluster: member joined", "member", joined.ID, "address", joined.Address, "epoch", view.Epoch)
	}
	if me, in := view.Member(m.self.ID); in {
		m.joinedOnce.Do(func() {
			if m.isMember() && !c.isStarting() {
				c.logger.Info("cluster: this member is in the view again", "member", me.ID, "epoch", view.Epoch)
			}
			close(m.joined)
		})
		if me.State == driver.Leaving {
			m.leaveOnce.Do(func() { close(m.leaving) })
		}
	}
	c.system.EventStream.Publish(event)
}

// disconnect gives up the connection to a member that is gone, so that nobody
// waits for the answers of one that hangs. A member that left by itself has
// said goodbye long before.
func (c *Cluster) disconnect(gone driver.Member) {
	c.wg.Go(func() {
		if !c.pause(goneGrace) {
			return
		}
		for _, m := range c.Members() {
			if m.Address == gone.Address {
				return // another incarnation lives there by now
			}
		}
		c.remote.Disconnect(gone.Address)
	})
}

// difference gives the members of a that b does not hold.
func difference(a, b driver.View) []driver.Member {
	return slices.DeleteFunc(slices.Clone(a.Members), func(m driver.Member) bool {
		_, in := b.Member(m.ID)
		return in
	})
}

// rejoin ends an incarnation that was removed from the view: its activations
// may have successors already, so they stop first. Then it joins under a new
// id. It returns nil when the cluster is shut down meanwhile.
func (c *Cluster) rejoin(old *membership, cause error) *membership {
	if old.isMember() {
		c.logger.Warn("cluster: this member is no longer in the view; its grains stop and it joins again",
			"member", old.self.ID, "error", cause)
	} else {
		c.logger.Warn("cluster: the cluster that was followed is gone; following the one that is there")
	}
	c.current.Store(nil)
	ctx, cancel := context.WithTimeout(c.ctx, fenceTimeout)
	defer cancel()
	errs := []error{old.closeLookup(ctx), c.activations.stopAll(ctx, c.system, false)}
	if (old.failure.Load() != nil || old.isFenced()) && errors.Join(errs...) == nil {
		errs = append(errs, old.session.Leave(ctx)) // empty, and it may still be in the view
	}
	errs = append(errs, old.close(ctx))
	if err := errors.Join(errs...); err != nil && c.ctx.Err() == nil {
		c.logger.Error("cluster: ending the former membership", "error", err)
	}
	c.cache.retain(func(driver.MemberID) bool { return false })
	if errors.Is(cause, driver.ErrRefused) && !c.pause(lastRetry) {
		return nil // refused again and again, it asks at leisure
	}
	for retry := firstRetry; c.ctx.Err() == nil; retry = min(2*retry, lastRetry) {
		m, err := c.join(c.ctx, old.isMember())
		if err == nil {
			c.current.Store(m)
			return m
		}
		c.logger.Warn("cluster: joining again failed; trying again", "error", err, "pause", retry)
		c.pause(retry)
	}
	return nil
}
