package remote

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// EndpointConnectedEvent is published on the event stream when a connection to a
// peer begins.
type EndpointConnectedEvent struct {
	// Address is the peer's.
	Address string
	// Member is the peer's id in the cluster, "" for a client.
	Member string
}

// EndpointTerminatedEvent is published when a connection ended, after everyone
// who waited for something from the peer was told; also at the end of one that was idle,
// which concerns nobody. Messages that were under way become dead letters when their fate
// is known, up to 10 seconds later.
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
	// SentBytes and ReceivedBytes count them as serialised, in batches, without what
	// gRPC and TLS add.
	SentBytes, ReceivedBytes uint64
	// Undecodable counts received messages that could not be read.
	Undecodable uint64
	// Refused counts connections that were turned down.
	Refused uint64
}

// PeerInfo is what a process knows of another one, for operators.
type PeerInfo struct {
	// Address is the peer's, Member its id in the cluster, "" for a client or when
	// there is no connection.
	Address, Member string
	// State is "idle", "dialing", "up", "breaking", "down" or "closed".
	State string
	// Since is when the connection began; zero without one.
	Since time.Time
	// Failures counts the attempts to reach it that failed in a row, and Refusal
	// says what became of the last one, or of the last connection.
	Failures int
	Refusal  string
	// QueuedMessages and QueuedBytes wait to be written. UnacknowledgedMessages and
	// UnacknowledgedBytes were, and the peer has not said yet that they arrived.
	QueuedMessages, QueuedBytes                 int
	UnacknowledgedMessages, UnacknowledgedBytes int
	// Sent and Received count messages since this process first had to do with the
	// peer, or had again after a pause of some seconds; SentBytes and ReceivedBytes
	// are theirs, as in [Stats].
	Sent, Received           uint64
	SentBytes, ReceivedBytes uint64
}

// Peers returns what this process knows of others at the moment, in the order of
// their addresses.
func (r *Remote) Peers() []PeerInfo {
	var all []PeerInfo
	for ep := range r.endpoints.All() {
		all = append(all, ep.info())
	}
	slices.SortFunc(all, func(a, b PeerInfo) int { return cmp.Compare(a.Address, b.Address) })
	return all
}

func (ep *endpoint) info() PeerInfo {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	p := PeerInfo{
		Address: ep.address, State: ep.link.phase.String(), Failures: ep.link.failures,
		QueuedMessages: ep.queue.messages, QueuedBytes: ep.queue.bytes,
		UnacknowledgedMessages: ep.flight.len(), UnacknowledgedBytes: ep.flight.bytes,
		Sent: ep.sent.Load(), Received: ep.received.Load(),
		SentBytes: ep.sentBytes.Load(), ReceivedBytes: ep.receivedBytes.Load(),
	}
	if c := ep.link.current; c != nil {
		p.Member, p.Since = c.peer.member, ep.link.upSince
	} else {
		p.Refusal = ep.refusal
	}
	return p
}

type counters struct {
	connections                          atomic.Int64
	sent, received, undecodable, refused atomic.Uint64
	sentBytes, receivedBytes             atomic.Uint64
}

// Stats returns the counts.
func (r *Remote) Stats() Stats {
	return Stats{
		Connections: int(r.stats.connections.Load()),
		Sent:        r.stats.sent.Load(),
		Received:    r.stats.received.Load(),
		SentBytes:   r.stats.sentBytes.Load(), ReceivedBytes: r.stats.receivedBytes.Load(),
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
	r.logger.Info("remote: disconnected", "peer", c.peer.address, "member", c.peer.member, "error", c.cause)
	r.system.EventStream.Publish(&EndpointTerminatedEvent{Address: c.peer.address, Member: c.peer.member, Cause: c.cause})
}
