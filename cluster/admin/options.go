package admin

import (
	"context"
	"slices"
	"time"

	"github.com/granary-go/granary/cluster"
)

// Operation is something that the service does.
type Operation string

// Operations. The first ones only look; of the others each has to be allowed.
const (
	Members  Operation = "members"
	Kinds    Operation = "kinds"
	Grains   Operation = "grains"
	Slots    Operation = "slots"
	Locate   Operation = "locate"
	Explain  Operation = "explain"
	Describe Operation = "describe"
	Watch    Operation = "watch"
	Audit    Operation = "audit"

	Call  Operation = "call"
	Drain Operation = "drain"
	Leave Operation = "leave"
)

// changing are the operations that have to be allowed.
var changing = []Operation{Call, Drain, Leave}

// Request is what somebody asks for, as an authorisation sees it.
type Request struct {
	Operation Operation
	// Kind and Identity are of a grain, Method is what is called. Empty where the
	// operation has none, as Member, an id or an address. Type is the full name of the
	// message that a grain is called with.
	Kind, Identity, Method, Member, Type string
}

// What holds when no option says otherwise.
const (
	// DefaultTimeout bounds what a request that concerns other members waits for them.
	DefaultTimeout = 2 * time.Second
	// DefaultCallTimeout bounds Call, if the caller names no time of its own, and
	// MaxCallTimeout if it does.
	DefaultCallTimeout = 10 * time.Second
	MaxCallTimeout     = time.Minute
)

// Limits. What they bound is refused beyond them, or cut, as is said with each request in
// the .proto.
const (
	// DefaultPage and MaxPage are how many grains a page has, and maxPageBytes about
	// how large it is.
	DefaultPage = 100
	MaxPage     = 10_000
	// MaxWatchers is how many streams of events a process serves.
	MaxWatchers = 64
	// MaxDescriptors bounds what Describe gives, in bytes.
	MaxDescriptors = 2 << 20
	// DefaultSample and MaxSample are how many grains of each member an audit takes.
	DefaultSample = 200
	MaxSample     = 1000

	maxPageBytes = 1 << 20
	// maxAsks is how many requests, and apart from them how many questions of other
	// members, are answered at a time, and maxAsksWaiting how many wait for that.
	// Calls, and drains and leaves, have places of their own, and as many wait.
	maxAsks        = 32
	maxAsksWaiting = 128
	maxCalls       = 32
	maxOperations  = 2
	// asksAtOnce is how many others are asked at a time for one request.
	asksAtOnce = 32
)

type config struct {
	allowed   []Operation
	authorize func(ctx context.Context, r Request) error
	timeout   time.Duration
	leave     func()
}

// Option changes what [Serve] serves.
type Option func(*config)

// Allow allows operations that do more than look: [Call], [Drain], [Leave]. Defaults
// to none. What is done to a member it has to allow itself, whoever is asked.
func Allow(ops ...Operation) Option {
	return func(c *config) { c.allowed = append(c.allowed, ops...) }
}

// WithAuthorization has a function decide about every request, after [Allow]: the text
// of its error is what the caller gets, as PERMISSION_DENIED. The context is that
// of the gRPC call: with the cluster's TLS, peer.FromContext tells the caller's
// certificate. It is called by several goroutines. Defaults to taking all that is
// allowed.
//
// It is asked in the process that a person or a tool talks to. What this one asks others
// for an answer, they do not put to their own. They have what changes something confirmed by
// the member of the view that it comes from; that other processes of the cluster look
// they do not hinder.
func WithAuthorization(authorize func(ctx context.Context, r Request) error) Option {
	return func(c *config) { c.authorize = authorize }
}

// WithTimeout bounds what a request waits for other members. Defaults to
// [DefaultTimeout]; zero or less stands for that.
func WithTimeout(d time.Duration) Option {
	return func(c *config) {
		if c.timeout = d; d <= 0 {
			c.timeout = DefaultTimeout
		}
	}
}

// OnLeave is called, once and in a goroutine of its own, when this process is to leave
// the cluster. A program ends the context here that it runs by, and shuts the
// cluster down as on SIGTERM. Defaults to Shutdown(true) of the cluster, behind which the
// process is there, but in no cluster.
func OnLeave(leave func()) Option {
	return func(c *config) { c.leave = leave }
}

// Serve serves the admin service at the address of the process: it is an option of
// cluster.Configure. Without options it only lets people look.
func Serve(opts ...Option) cluster.Option { return cluster.WithService(Service(opts...)) }

// Service is the service for a gRPC server of the application's own. It is called with
// the cluster, started or not, and the server; what it returns ends it, before the cluster
// is shut down. Other members ask the process at the cluster's own address all the same.
func Service(opts ...Option) cluster.Service {
	c := config{timeout: DefaultTimeout}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c.serve
}

func (c *config) allows(op Operation) bool {
	return !slices.Contains(changing, op) || slices.Contains(c.allowed, op)
}
