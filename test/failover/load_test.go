package failover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

const (
	callers = 8
	// A call is begun this often at most: the test is no benchmark, and the machine may have other things to do.
	pace = time.Millisecond
	// A caller that has waited this long for an answer turns to the next grain, so that those that cannot be
	// reached do not keep the others from being called.
	patience = 20 * time.Millisecond
	// maxErrors is how many errors of one run are shown.
	maxErrors = 20
)

// grain is a counter as its callers know it. One call is made at a time.
type grain struct {
	name  string
	calls int
	// at is its activation, count what that answered last.
	at    fleet.Activation
	count int64
	all   []fleet.Activation // those that have answered, in order
	back  time.Time          // when the last of them answered first
	seen  [2]int             // the rounds in which each client had an answer
}

// load calls all grains, over and over, from two clients by turns: one remembers where they are, the other has to
// ask the owners of their slots nearly every time. Calls have no options.
type load struct {
	t       *testing.T
	clients [2]*cluster.Cluster
	grains  []*grain
	idle    chan *grain // all grains that are not being called
	cancel  context.CancelFunc
	wg      sync.WaitGroup // callers and calls

	mu     sync.Mutex // guards what follows, and the grains
	left   map[driver.MemberID]bool
	killed driver.MemberID
	stats  stats
	errors int
	round  int
	unseen int           // grains times clients without an answer in this round
	done   chan struct{} // closed when unseen is 0
}

// stats are the figures of one part of the test.
type stats struct {
	calls    int
	failures map[string]int // by error
	// slowest is how long the longest calls took that succeeded, by client, to grains on members that live and (at
	// index 2 and 3) on the one that was killed.
	slowest [4]time.Duration
}

func newLoad(t *testing.T, remembering, forgetful *cluster.Cluster, n int) *load {
	l := &load{
		t: t, clients: [2]*cluster.Cluster{remembering, forgetful},
		idle: make(chan *grain, n), left: make(map[driver.MemberID]bool),
	}
	for i := range n {
		g := &grain{name: fmt.Sprint("counter-", i)}
		l.grains = append(l.grains, g)
		l.idle <- g
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	ticker := time.NewTicker(pace)
	for range callers {
		l.wg.Go(func() { l.caller(ctx, ticker.C) })
	}
	t.Cleanup(func() {
		l.stop()
		ticker.Stop()
	})
	return l
}

// stop ends the callers and waits for the calls under way.
func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

func (l *load) caller(ctx context.Context, turn <-chan time.Time) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-turn:
		}
		select {
		case <-ctx.Done():
			return
		case g := <-l.idle:
			answered := make(chan struct{})
			l.wg.Go(func() {
				l.call(g)
				close(answered)
				l.idle <- g
			})
			timer.Reset(patience)
			select {
			case <-answered:
			case <-timer.C:
			}
		}
	}
}

// call adds one to a counter.
func (l *load) call(g *grain) {
	l.mu.Lock()
	round, client, host := l.round, g.calls%2, g.at.Member
	g.calls++
	l.mu.Unlock()
	began := time.Now()
	reply, err := l.clients[client].Call(g.name, kind, wrapperspb.Int64(1))
	took := time.Since(began)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.calls++
	if err != nil {
		l.failed(g, err, took)
		return
	}
	class := client
	if host != "" && host == l.killed {
		class += 2
	}
	l.stats.slowest[class] = max(l.stats.slowest[class], took)
	l.answered(g, reply)
	if round == l.round && g.seen[client] != round {
		g.seen[client] = round
		if l.unseen--; l.unseen == 0 {
			close(l.done)
		}
	}
}

// failed takes the error of a call. Only one whose grain was on the member that was killed may fail, and only for want
// of knowing what became of it.
func (l *load) failed(g *grain, err error, took time.Duration) {
	if l.stats.failures == nil {
		l.stats.failures = make(map[string]int)
	}
	l.stats.failures[strings.ReplaceAll(err.Error(), g.name, "…")]++
	if l.killed == "" || g.at.Member != l.killed || !errors.Is(err, cluster.ErrUnknownOutcome) {
		l.errorf("call %d of %s, which was %s, failed after %s: %v", g.calls, g.name, g.at, took, err)
	}
}

// answered takes a reply: the counter goes on, or starts anew because its member is gone.
func (l *load) answered(g *grain, reply any) {
	count, at, err := parseReply(reply)
	if err != nil {
		l.errorf("%s: %v", g.name, err)
		return
	}
	was := g.at
	switch {
	case at.Identity != g.name:
		l.errorf("%s was answered by %s", g.name, at)
	case at == was && count != g.count+1:
		l.errorf("%s went from %d to %d", at, g.count, count)
	case at == was:
	case was.Member != "" && !l.left[was.Member] && was.Member != l.killed:
		l.errorf("%s at %d gave way to %s at %d, and its member is there", was, g.count, at, count)
	case count != 1:
		l.errorf("%s began at %d, after %s", at, count, was)
	case at.Fence.Compare(was.Fence) <= 0:
		l.errorf("%s began after %s: its token is no higher", at, was)
	}
	if at != was {
		g.all, g.back = append(g.all, at), time.Now()
	}
	g.at, g.count = at, count
}

func parseReply(reply any) (count int64, at fleet.Activation, err error) {
	text, ok := reply.(*wrapperspb.StringValue)
	if !ok {
		return 0, at, fmt.Errorf("the reply is a %T", reply)
	}
	number, id, _ := strings.Cut(text.Value, " ")
	if count, err = strconv.ParseInt(number, 10, 64); err != nil {
		return 0, at, err
	}
	at, err = fleet.ParseActivation(id)
	return count, at, err
}

// errorf fails the test, in so many words at first.
func (l *load) errorf(format string, args ...any) {
	if l.errors++; l.errors <= maxErrors {
		l.t.Errorf(format, args...)
	} else {
		l.t.Fail()
	}
}

// begin starts a part of the test: its figures are counted from zero.
func (l *load) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats = stats{}
}

// everyGrain waits until each grain has answered each client in a call that began from now on, and gives the figures
// since the last begin.
func (l *load) everyGrain() stats {
	l.t.Helper()
	l.mu.Lock()
	l.round++
	l.unseen = len(l.grains) * len(l.clients)
	done := make(chan struct{})
	l.done = done
	l.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.t.Fatalf("of %d grains and %d clients, %d had no answer within %s", len(l.grains), len(l.clients), l.unseen, limit)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	made := l.stats
	made.failures = maps.Clone(made.failures)
	return made
}

// leaves allows the grains of a member to start anew elsewhere, from now on.
func (l *load) leaves(id driver.MemberID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left[id] = true
}

// dies allows that too, and that calls to them fail.
func (l *load) dies(id driver.MemberID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.killed = id
}

// activations gives the one of each grain that answered last.
func (l *load) activations() map[string]fleet.Activation {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]fleet.Activation, len(l.grains))
	for _, g := range l.grains {
		all[g.name] = g.at
	}
	return all
}

func (s stats) failed() (n int) {
	for _, count := range s.failures {
		n += count
	}
	return n
}

// text shows the failures by error, one a line.
func (s stats) text() (text string) {
	for _, err := range slices.Sorted(maps.Keys(s.failures)) {
		text += fmt.Sprintf("\n    %4d × %s", s.failures[err], err)
	}
	return text
}

// back gives when the last of some grains first answered in its activation of now.
func (l *load) back(some map[string]fleet.Activation) (last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.grains {
		if _, in := some[g.name]; in && g.back.After(last) {
			last = g.back
		}
	}
	return last
}
