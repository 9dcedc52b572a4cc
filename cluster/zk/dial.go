package zk

import (
	"context"
	"fmt"
	"net"
	"time"
)

const (
	// Pauses between two rounds through all servers, none of which could be reached.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
	// Bounds of how long one server may take to be reached and to open a session.
	minHandshakeTime = 100 * time.Millisecond
	maxHandshakeTime = 5 * time.Second
)

// Dialer connects to a server. The context bounds the call.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// attach is called when a server has opened the session, or lets it go on, under the lock. The time-out that this server
// grants counts from then on for all servers, also if it is shorter than before, as its maxSessionTimeout or tickTime is.
// Half of the first one covers what earlier renewals have granted; with less the session may end before that.
func (c *client) attach() {
	l := c.link
	if c.session != l.opened {
		c.session, c.negotiated, c.shortest = l.opened, l.negotiated, l.negotiated
	}
	if c.shortest = min(c.shortest, l.negotiated); c.keeper && c.shortest < c.negotiated/2 {
		c.up, c.gone = false, errSessionOver
		return
	}
	c.up, c.failures, c.attached = true, 0, l.begun
	clear(c.causes)
}

// lost is called when a connection has ended, under the lock.
func (c *client) lost() {
	if c.link == nil || c.link.lost || c.closing || c.gone != nil {
		return
	}
	c.link.lost = true
	c.causes[c.link.server] = c.link.cause()
	switch {
	case !c.up:
		c.failures++
	case !c.keeper:
		c.gone = fmt.Errorf("the connection to %s was lost: %w", c.link.server, c.link.cause())
	}
	c.up = false
}

// dial is called by the library whenever it has no connection.
func (c *client) dial(network, address string, _ time.Duration) (net.Conn, error) {
	if !c.admit() {
		return nil, errClosed
	}
	until := time.Now().Add(c.handshake)
	ctx, cancel := context.WithDeadline(c.ctx, until)
	defer cancel()
	raw, err := c.dialer(ctx, network, address)
	if err != nil {
		c.change(func() {
			c.failures++
			c.causes[address] = err
		})
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = &link{Conn: raw, server: address, keeper: c.keeper, session: c.session, until: until, release: &c.release}
	return c.link, nil
}

// admit waits until a call wants a connection, with a pause after each round through all servers. It is false once the
// client is closed.
func (c *client) admit() bool {
	pause := time.NewTimer(c.pause())
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-c.ctx.Done():
		return false
	}
	for {
		c.mu.Lock()
		wanted := c.waiting > 0 && c.gone == nil
		c.mu.Unlock()
		if wanted {
			return c.ctx.Err() == nil
		}
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return false
		}
	}
}

func (c *client) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures == 0 || c.failures%c.hosts.Len() != 0 {
		return 0
	}
	return min(firstPause<<min(c.failures/c.hosts.Len()-1, 10), lastPause)
}
