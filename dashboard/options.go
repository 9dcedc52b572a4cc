package dashboard

import (
	"slices"
	"time"

	"github.com/granary-go/granary/cluster/admin"
)

// What holds when no option says otherwise.
const (
	// DefaultInterval is how often the cluster is asked while somebody looks.
	DefaultInterval = time.Second
	// DefaultViewers is how many pages are served at a time.
	DefaultViewers = 32
)

// Limits of what is kept, sent and listed.
const (
	// MaxPoints is how many points of a plot are kept: five minutes, by default.
	MaxPoints = 300
	// MaxEvents is how many events are kept for those who come later.
	MaxEvents = 300
	// MaxDead is how many samples of dead letters are kept besides.
	MaxDead = 100
	// MaxPending is how many events wait for a viewer who reads slowly; a quarter of them may
	// be dead letters.
	MaxPending = 256
	// MaxMembers and MaxKinds are how many of them are listed.
	MaxMembers = 256
	MaxKinds   = 100
	// MaxPage is how many grains a page of them has.
	MaxPage = 200

	defaultPage = 50
	// minInterval bounds WithInterval from below.
	minInterval = 100 * time.Millisecond
	// maxQuestions is how many questions of viewers are answered at a time.
	maxQuestions = 8
	// patience bounds a question to the cluster: a member waits 2 s for the others.
	patience = 6 * time.Second
	// writeWithin bounds how long a viewer's connection may take nothing.
	writeWithin = 15 * time.Second
	// goneFor is how long a member that is gone is shown, maxGone how many of them.
	goneFor = 2 * time.Minute
	maxGone = 16
	// maxProblems is how many of those are named that did not answer.
	maxProblems = 20
)

// Calls is what a program knows of the calls that it makes or serves. Totals are since
// any beginning; latencies are of the last second or so, zero if there were no calls.
type Calls struct {
	Answered, Failed uint64
	// Waiting is how many have no answer yet.
	Waiting  int
	P50, P99 time.Duration
}

type config struct {
	allowed  []admin.Operation
	calls    func() Calls
	interval time.Duration
	viewers  int
	service  []admin.Option
}

// Option changes what a [Dashboard] shows or allows.
type Option func(*config)

// WithAllow allows viewers to do something: [admin.Drain], [admin.Leave]. Defaults to
// none; other operations are ignored. The member concerned has to allow it, too.
func WithAllow(ops ...admin.Operation) Option {
	return func(c *config) {
		for _, op := range ops {
			if (op == admin.Drain || op == admin.Leave) && !slices.Contains(c.allowed, op) {
				c.allowed = append(c.allowed, op)
			}
		}
	}
}

// WithCalls has the page show calls, errors and latencies, which the admin service does not
// know. The function is called in each interval, by one goroutine, and must not wait.
func WithCalls(calls func() Calls) Option { return func(c *config) { c.calls = calls } }

// WithInterval sets how often the cluster is asked while somebody looks. Defaults to
// [DefaultInterval], which zero or less stands for; a tenth of a second at least.
func WithInterval(d time.Duration) Option {
	return func(c *config) {
		if c.interval = max(d, minInterval); d <= 0 {
			c.interval = DefaultInterval
		}
	}
}

// WithViewers bounds how many pages are served at a time; another one is told so, with
// status 503. Defaults to [DefaultViewers], which zero or less stands for.
func WithViewers(n int) Option {
	return func(c *config) {
		if c.viewers = n; n <= 0 {
			c.viewers = DefaultViewers
		}
	}
}

// WithAdmin gives options to the admin service that [Serve] serves. [New] ignores it.
func WithAdmin(opts ...admin.Option) Option {
	return func(c *config) { c.service = append(c.service, opts...) }
}

func configured(opts []Option) config {
	c := config{interval: DefaultInterval, viewers: DefaultViewers}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c
}
