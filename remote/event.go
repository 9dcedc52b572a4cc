package remote

import "sync/atomic"

// EndpointConnectedEvent is published on the event stream when a connection to a
// peer begins.
type EndpointConnectedEvent struct {
	// Address is the peer's.
	Address string
	// Member is the peer's id in the cluster, "" for a client.
	Member string
}

// EndpointTerminatedEvent is published when a connection ended, after everyone
// who waited for something from the peer was told.
type EndpointTerminatedEvent struct {
	// Address is the peer's.
	Address string
	// Member is the peer's id in the cluster, "" for a client.
	Member string
	// Cause says why it ended.
	Cause error
}

// Stats are counts since Start, except Connections.
type Stats struct {
	// Connections is how many peers are connected now.
	Connections int
	// Sent and Received count messages. Sent means handed to the transport.
	Sent, Received uint64
	// Undecodable counts received messages that could not be read.
	Undecodable uint64
	// Refused counts connections that were turned down.
	Refused uint64
}

type counters struct {
	connections                          atomic.Int64
	sent, received, undecodable, refused atomic.Uint64
}

// Stats returns the counts.
func (r *Remote) Stats() Stats {
	return Stats{
		Connections: int(r.stats.connections.Load()),
		Sent:        r.stats.sent.Load(),
		Received:    r.stats.received.Load(),
		Undecodable: r.stats.undecodable.Load(),
		Refused:     r.stats.refused.Load(),
	}
}

func (r *Remote) connected(c *conn) {
	r.stats.connections.Add(1)
	r.logger.Info("remote: connected", "peer", c.peer.address, "member", c.peer.member, "dialed", c.dialed)
	r.system.EventStream.Publish(&EndpointConnectedEvent{Address: c.peer.address, Member: c.peer.member})
}

func (r *Remote) disconnected(c *conn) {
	r.stats.connections.Add(-1)
	r.logger.Info("remote: disconnected", "peer", c.peer.address, "member", c.peer.member, "cause", c.cause)
	r.system.EventStream.Publish(&EndpointTerminatedEvent{Address: c.peer.address, Member: c.peer.member, Cause: c.cause})
}
