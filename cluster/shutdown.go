package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Shutdown ends this process's part in the cluster: it leaves the view, its
// grains are deactivated, connections and ports are closed. The actor system
// and actors that are no grains stay as they are.
//
// A graceful shutdown fails no call: the member takes no new activations,
// hands its slots over, lets its grains finish what is in their mailboxes,
// and tells callers to ask again. Otherwise the grains stop after the message
// they are at, and what waits in their mailboxes becomes dead letters.
//
// It is bounded by the shutdown timeout, and a few seconds more to close what
// it has opened; the error says what was not done by then. A second call waits for the first and returns the same; before
// Start it returns [ErrNotStarted]. It must not be called by a handler of the
// event stream, for it waits for the goroutine that publishes views.
func (c *Cluster) Shutdown(graceful bool) error {
	return c.ShutdownContext(context.Background(), graceful)
}

// ShutdownContext is Shutdown with a context that bounds the waiting, beside
// the shutdown timeout.
func (c *Cluster) ShutdownContext(ctx context.Context, graceful bool) error {
	c.mu.Lock()
	switch c.phase {
	case created:
		c.mu.Unlock()
		return ErrNotStarted
	case starting:
		c.mu.Unlock()
		return errors.New("cluster: shutdown while it starts: cancel the context of StartContext")
	case failed:
		defer c.mu.Unlock()
		return c.failure
	case stopping:
		c.mu.Unlock()
		select {
		case <-c.done:
			return c.result
		case <-ctx.Done():
			return fmt.Errorf("cluster: shutdown, begun by another call, goes on: %w", ctx.Err())
		}
	}
	c.phase = stopping
	c.mu.Unlock()
	defer close(c.done)
	c.result = c.shutdown(ctx, graceful)
	return c.result
}

// closeTimeout bounds the steps of a shutdown behind the stop of the grains.
const closeTimeout = 2 * time.Second

func (c *Cluster) shutdown(ctx context.Context, graceful bool) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.shutdownTimeout)
	defer cancel()
	var errs []error
	departed := c.current.Load()
	if departed != nil && departed.isMember() {
		errs = append(errs, c.depart(ctx, departed, graceful))
	}
	c.cancel()
	// The rest is quick, and is done also when the grains took all the time.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	errs = append(errs, c.waitForFollower(last))
	if m := c.current.Load(); m != departed && m != nil && m.isMember() {
		errs = append(errs, c.depart(ctx, m, false)) // it had just joined again
	} else if departed == nil {
		errs = append(errs, c.activations.stopAll(ctx, c.system, false)) // of a member that was removed
	}
	c.services.stop()
	errs = append(errs, c.retire(last), c.remote.Shutdown(graceful))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cluster: shutdown: %w", err)
	}
	c.logger.Info("cluster: cluster shut down", "graceful", graceful)
	return nil
}

func (c *Cluster) waitForFollower(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.wg.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a handler of the event stream does not return: %w", ctx.Err())
	}
}

// depart empties the member and takes it out of the view. One that does not
// get empty does not leave: the others must not start what still runs here,
// and take it for dead when its session ends.
func (c *Cluster) depart(ctx context.Context, m *membership, graceful bool) error {
	var errs []error
	// A member whose lease has ended is as good as gone, and its provider may be
	// out of reach: it neither drains nor leaves.
	if graceful = graceful && m.hasJoined() && !m.isFenced(); graceful {
		err := m.drain(ctx)
		graceful = err == nil
		errs = append(errs, err)
	}
	closed := true
	if !graceful {
		err := m.closeLookup(ctx)
		closed = err == nil
		errs = append(errs, err)
	}
	if err := c.activations.stopAll(ctx, c.system, graceful); err != nil {
		return errors.Join(append(errs, err)...)
	}
	if m.isFenced() || !closed {
		return errors.Join(errs...)
	}
	if err := m.session.Leave(ctx); err != nil {
		errs = append(errs, fmt.Errorf("leave: %w", err))
	}
	return errors.Join(errs...)
}

// closeLookup closes the member to new activations: none comes after it, unless
// it fails. That is quick, and is tried also when there is no time left.
func (m *membership) closeLookup(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return m.lookup.Close(ctx)
}

// drain lets the others know that the member is leaving and waits until its
// host knows so: from then on it accepts no new activation. It takes half of the
// time at most, for the grains need some to stop in.
func (m *membership) drain(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if err := m.session.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	select {
	case <-m.leaving:
		return m.lookup.Settle(ctx)
	case <-m.removed:
		return errors.New("drain: the member was removed from the view meanwhile")
	case <-m.fenced:
		return errors.New("drain: the member's lease has ended meanwhile")
	case <-ctx.Done():
		return fmt.Errorf("drain: not shown as leaving in the view: %w", ctx.Err())
	}
}
