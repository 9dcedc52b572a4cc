package cluster

import (
	"context"
	"errors"
	"fmt"
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
// It is bounded by the shutdown timeout, and the error says what was not done
// by then. A second call waits for the first and returns the same; before
// Start it returns [ErrNotStarted].
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
	case stopping:
		c.mu.Unlock()
		<-c.ended
		return c.result
	}
	c.phase = stopping
	c.mu.Unlock()
	defer close(c.ended)
	c.result = c.shutdown(ctx, graceful)
	return c.result
}

func (c *Cluster) shutdown(ctx context.Context, graceful bool) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.shutdownTimeout)
	defer cancel()
	var errs []error
	if m := c.current.Load(); m != nil && m.isMember() {
		errs = append(errs, c.depart(ctx, m, graceful))
	}
	c.cancel()
	c.wg.Wait()
	errs = append(errs, c.retire(context.WithoutCancel(ctx)), c.remote.Shutdown(graceful))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cluster: shutdown: %w", err)
	}
	c.logger.Info("cluster shut down", "graceful", graceful)
	return nil
}

// depart empties the member and takes it out of the view. One that does not
// get empty does not leave: the others must not start what still runs here,
// and take it for dead when its session ends.
func (c *Cluster) depart(ctx context.Context, m *membership, graceful bool) error {
	var errs []error
	if graceful = graceful && m.hasJoined(); graceful {
		err := m.drain(ctx)
		graceful = err == nil
		errs = append(errs, err)
	}
	if !graceful {
		errs = append(errs, m.lookup.Close(ctx)) // nothing more is activated
	}
	if err := c.activations.stopAll(ctx, c.system, graceful); err != nil {
		return errors.Join(append(errs, err)...)
	}
	if err := m.session.Leave(ctx); err != nil {
		errs = append(errs, fmt.Errorf("leave: %w", err))
	}
	return errors.Join(errs...)
}

// drain lets the others know that the member is leaving and waits until its
// host knows so: from then on it accepts no new activation.
func (m *membership) drain(ctx context.Context) error {
	if err := m.session.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	select {
	case <-m.leaving:
		return m.lookup.Settle(ctx)
	case <-m.removed:
		return errors.New("drain: the member was removed from the view meanwhile")
	case <-ctx.Done():
		return fmt.Errorf("drain: not shown as leaving in the view: %w", ctx.Err())
	}
}
