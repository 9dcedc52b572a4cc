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
		if graceful {
			errs = append(errs, m.drain(ctx))
		}
		errs = append(errs, c.activations.stopAll(ctx, c.system, graceful), m.leave(ctx))
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

// drain lets the others know that the member is leaving and waits until it
// knows so itself: from then on it accepts no new activation.
func (m *membership) drain(ctx context.Context) error {
	if err := m.session.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	select {
	case <-m.leaving:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain: not shown as leaving in the view: %w", ctx.Err())
	}
}

func (m *membership) leave(ctx context.Context) error {
	if err := m.session.Leave(ctx); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}
