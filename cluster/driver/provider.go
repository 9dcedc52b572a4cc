package driver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"
)

// ErrRemoved is returned by [Session.Watch] when the published view no longer
// holds this member, or belongs to another incarnation of the cluster. The
// session is over; the process may join again under a new id.
// For an observer it means that the views it followed have ended, and others
// are there that do not continue them: it observes anew.
var ErrRemoved = errors.New("driver: this member is no longer in the view")

// ErrRefused is returned by [Session.Watch] to a newcomer that the cluster
// will not take in, whatever it waits: it registers a kind with another
// guarantee than the members, or speaks no protocol version of theirs. The
// text says what to do. The session is over.
var ErrRefused = errors.New("driver: this member is refused")

// ErrUnavailable is in the errors of [Provider.Join] and [Provider.Observe]
// that may pass by themselves: the service behind the provider cannot be
// reached, or cannot serve. The cluster tries again for as long as its Start
// may take.
var ErrUnavailable = errors.New("driver: the membership service is not available")

// ErrClosed is returned by the methods of a session after Close.
var ErrClosed = errors.New("driver: session is closed")

// Request is what the cluster tells a provider when it joins or observes.
type Request struct {
	// Cluster is the name that members of one cluster share. Never empty.
	Cluster string
	// Member describes this process; for an observer only Address is set.
	Member Member
	// BindHost is the host that the process's own listener is bound to.
	// A provider that listens binds the same host unless told otherwise.
	BindHost string
	// TLS is how the processes of the cluster prove who they are; nil where they do
	// not. A provider whose members speak to each other uses it unless it was told
	// otherwise.
	TLS *TLS
	// Guard bounds what strangers can do to a port, as the process does at its own: for
	// providers that listen. Nil where nothing is bounded.
	Guard *Guard
	// Logger is the application's logger. Never nil.
	Logger *slog.Logger
}

// Guard bounds what strangers can do to a port. None of its fields is nil or 0.
type Guard struct {
	// Listen bounds the connections at a listener, and is to take its place. Regular is
	// how many of them there are where nobody means ill.
	Listen func(l net.Listener, regular int) net.Listener
	// Expect gives a context for a request, which ends when it takes too long until it
	// has come in whole, which came is to tell. As many as there are regular connections
	// come in at a time, at least; beyond the bound the one that has taken longest ends. Who
	// listens bounds how large they are.
	Expect func(ctx context.Context) (of context.Context, came func())
	// MaxStreams is how many requests there may be at a time over one connection.
	MaxStreams int
	// Quiet is for how long a connection is kept over which there is no request.
	Quiet time.Duration
}

// TLS is what a transport between processes of one cluster needs. What changes in the
// certificates later counts at the next handshake.
type TLS struct {
	// Server is for those who listen.
	Server *tls.Config
	// Client is for those who dial a host that is known by the names given, of which
	// the certificate there has to hold for one. Without a name no handshake goes
	// well.
	Client func(names ...string) *tls.Config
	// Proves says why the process at the other end of a connection may not call
	// itself by an address at the host.
	Proves func(state tls.ConnectionState, host string) error
}

// Provider gives a consistent view of the active members. A Provider may be
// used for one session at a time; the cluster opens the next one only after
// Close of the last one has returned.
type Provider interface {
	// Leases reports whether the members' sessions have leases. Kinds that are
	// [Leased] or [Strict] need them; it is asked before Join.
	Leases() bool
	// Join makes the process a candidate member and returns without waiting
	// to be in a view: [Session.Watch] tells when it is. It returns an error
	// for what will not mend by itself (a port in use, a nonsense address,
	// refused credentials). The context bounds the call, not the session.
	Join(ctx context.Context, r Request) (Session, error)
	// Observe follows the views without being a member.
	Observe(ctx context.Context, r Request) (Session, error)
}

// LeaseTimer is what a [Provider] with leases may be besides.
type LeaseTimer interface {
	// LeaseTime gives the lease time that is asked for. The first start of a
	// cluster waits for about that long, and so does one at the address of a
	// member that was killed.
	LeaseTime() time.Duration
}

// Session is one incarnation's part in the membership. Its methods may be
// called from several goroutines; Watch is called by one at a time.
type Session interface {
	// Watch waits for a view with a higher epoch than after and returns the
	// newest. For a member it returns only views that hold the member; it
	// returns [ErrRemoved] once a view that was published after the member
	// had been in one does not. It returns the context's error when that is
	// done first and ErrClosed after Close; other errors are passing ones:
	// the caller backs off and calls again.
	Watch(ctx context.Context, after uint64) (View, error)
	// Lease gives the lease of the member, the same one each time; nil where
	// the provider has none, and for an observer.
	Lease() Lease
	// Refresh hints that a view with at least this epoch exists, so that a
	// provider that polls may poll at once. It does not wait.
	Refresh(epoch uint64)
	// Drain publishes that the member is leaving: it keeps what it hosts,
	// owns nothing and takes nothing new. Watch will show it as [Leaving].
	Drain(ctx context.Context) error
	// Leave removes the member from the view. The caller hosts nothing by
	// then. It waits until the removal is published as far as the provider
	// can tell, or the context is done.
	Leave(ctx context.Context) error
	// Close ends the session and frees its ports and goroutines, which have
	// all ended when it returns. It removes nobody from the view: a member
	// that closes without Leave looks like one that crashed.
	Close() error
}
