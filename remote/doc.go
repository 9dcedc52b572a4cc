// Package remote connects the actor systems of several processes: a PID whose
// address is another process's is used like any other.
//
//	system := actor.NewActorSystem()
//	r := remote.NewRemote(system, remote.Configure("10.0.0.5", 8090))
//	if err := r.Start(); err != nil {
//		return err
//	}
//	defer r.Shutdown(true)
//
//	greeter := actor.NewPID("10.0.0.6:8090", "greeter")
//	reply, err := actor.Ask[*hello.Greeting](ctx, system.Root, greeter, &hello.Request{Name: "world"})
//
// Users of a cluster do not call this package beyond [Configure]: the cluster
// starts and stops the remote itself.
//
// # Messages
//
// A message to another process is a protobuf message, which travels by its full
// name and needs to be linked into both programs, or a value that a serializer
// knows ([WithSerializer]; [JSON] is one). It is serialised before the send returns,
// by MarshalVT where its generated code has that. Anything else, a nil pointer,
// and what is larger than the limit (4 MiB by default) is a dead letter at once.
// If it was the answer to a request, the request fails with [ErrReplyLost].
// Headers travel with the message. So do watches, Stop, PoisonPill and dead
// letter responses. A message that carries a PID has a field of the type in
// wire/actorpb/pid.proto: [ToProto] and [FromProto].
//
// Messages from one sender to one target arrive in the order in which they were
// sent, each at most once. Each either arrives or is a dead letter at its sender's
// side, and none is both: the two processes tell each other how far they had come when
// they are connected again after a loss. What was under way when the connection was
// lost, and whose peer does not come back within 10 seconds, or as another process, is
// a dead letter whose reason says that nobody knows.
//
// A message that is larger than 256 KiB crosses in pieces, and those to other targets
// pass it.
//
// # Connections
//
// Two processes share one connection, whoever dialled it; the first message makes
// it. What is sent meanwhile waits in a bounded queue (131,072 messages and 64 MiB
// by default; what does not fit is a dead letter). As much again may be written and
// not yet acknowledged by the peer; then writing waits. When the peer cannot be
// reached, what waits becomes dead letters with the cause as their reason, and so
// does what is sent during the pause that follows (10 ms at first, up to 1 s); the
// next message after it tries again.
//
// A process is known by its advertised address alone, and its peers have to use
// exactly that one: "localhost:8090" and "127.0.0.1:8090" are two addresses.
//
// When a connection is lost, those concerned are told in this order:
//
//   - what was not written is a dead letter: it certainly did not run (what was
//     written follows when its fate is known, see above);
//   - requests that were written and not answered fail with [ErrConnectionLost]:
//     whether they ran is unknown. Only the process that was asked counts: a
//     request that it forwarded to yet another one has its timeout alone;
//   - actors here that watch actors there receive *actor.Terminated with the
//     reason AddressTerminated, and the watches in the other direction end;
//   - [EndpointTerminatedEvent] is published.
//
// A connection over which nothing was sent for half an hour ends, unless somebody
// watches or waits for the answer to a request over it ([WithIdleTimeout]). Nothing is
// lost by that, and the next message makes another one.
//
// A peer that dies without closing its connections is noticed by pings: within
// 10 seconds by the side that was dialled, within 15 by the side that dialled
// (see [WithKeepAlive]), or when [Remote.Disconnect] says so.
//
// # What a peer can do
//
// Any process that reaches the port, speaks the protocol and names the same
// cluster can send to, watch and stop every actor and future here whose id it
// knows, and spawn actors of the kinds that were registered for that ([WithKinds],
// none by default). It can neither subscribe to the event stream, nor call
// anything else, and nothing that it sends makes this process panic: a message
// that cannot be read is a dead letter ([Undecodable] stands for it) whose
// requester is answered at once, and a stream that is not the protocol's is
// closed.
//
// It can also take over an address: a process is who it says it is, and a Hello
// under another member's address with a new incarnation replaces that one's
// connection, as its restart would. What is sent to the address goes to the
// newcomer, and the member itself is refused as the older process, until the
// newcomer's connection ends and this process dials the address.
//
// What it costs is bounded. The watches of a peer, and what waits to tell it of
// their ends, have a limit; a peer beyond it, such as one that does not read,
// loses the connection ([WithMaxWatches]). A message's sender is any address that
// looks like one, and an answer to it dials it: so the number of peers and of
// attempts under way is limited ([WithPeerLimits]). Connections that have not
// said Hello are closed after the dial timeout; their number is not limited here
// but by what is before the port.
//
// Connections are neither encrypted nor authenticated without [WithTLS]; a warning
// is logged once if one leaves the loopback. With it, a peer needs a certificate
// for the address that it calls itself by: who has none cannot take one over.
package remote
