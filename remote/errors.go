package remote

import "errors"

var (
	// ErrConnectionLost says that the connection broke after a request was
	// written and before it was answered. Whether it ran is unknown.
	ErrConnectionLost = errors.New("remote: the connection was lost before the answer came")
	// ErrReplyLost says that a request was answered and that the answer cannot
	// be read here or could not be sent: it is of a type that is not linked into
	// this program, is no protobuf message, or is too large. It is also the end
	// of a request whose delivery panicked, or that another process handed on over a
	// connection that broke. The request may have run.
	ErrReplyLost = errors.New("remote: the reply was lost")
	// ErrStarted says that Start was called before.
	ErrStarted = errors.New("remote: already started")
	// ErrShutDown says that the remote was shut down. It is not started again;
	// make a new one.
	ErrShutDown = errors.New("remote: shut down")
	// ErrPortInUse says that another process, or another remote of this one,
	// listens on the configured port.
	ErrPortInUse = errors.New("remote: the port is in use; choose another one, or 0 for any free one")
	// ErrBadConfig says which part of the configuration makes no sense.
	ErrBadConfig = errors.New("remote: bad configuration")
	// ErrGoodbyeTimeout says that a graceful shutdown ran out of time: some
	// peer took too long to take what was queued for it. The connections are
	// closed nevertheless.
	ErrGoodbyeTimeout = errors.New("remote: shut down before every peer had taken what was sent to it")
)

// Why a connection ended. These reach users inside dead letter reasons, the
// cause of an [EndpointTerminatedEvent] and what [ErrConnectionLost] wraps.
var (
	errClosing      = errors.New("this process shuts down its remote")
	errGoodbye      = errors.New("the peer said goodbye")
	errIdle         = errors.New("it was idle (WithIdleTimeout)")
	errUnanswered   = errors.New("the peer did not say whether the connection, which is idle, is to end")
	errReplaced     = errors.New("the peer connected anew")
	errDisconnected = errors.New("it was given up by Disconnect")
	errSilent       = errors.New("the peer did not finish the goodbye in time")
	errFlooded      = errors.New("the peer does not take what tells it of watches and ends")
	errWatches      = errors.New("the peer watches more actors here than it may (WithMaxWatches)")
	errManyDials    = errors.New("too many attempts to reach other processes were under way (WithPeerLimits)")
	errHandshake    = errors.New("the peer did not answer the handshake in time")
)
