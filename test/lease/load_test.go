package lease

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

// load is a client that calls counters, each one call after the other, and writes it into the diary. Calls have no
// options.
type load struct {
	name  string
	c     *cluster.Cluster
	diary *fleet.Diary
	stop  func() // ends the load and waits for the calls under way

	mu sync.Mutex // guards what follows
	figures
	at      map[counterName]fleet.Activation // that answered last
	round   int
	awaited map[counterName]bool
	done    chan struct{} // closed when awaited is empty
}

// addresses differ from failure to failure, as identities do.
var addresses = regexp.MustCompile(`127\.0\.0\.1:[0-9]+(->127\.0\.0\.1:[0-9]+)?`)

// figures are what a load has met since they were reset.
type figures struct {
	calls    int
	answers  map[string]int            // by kind
	failures map[string]map[string]int // by kind, by error
	errs     map[string][]error        // by kind
	slowest  time.Duration
}

// begin starts to call the counters, a call each pace at most.
func begin(ctx context.Context, name string, c *cluster.Cluster, diary *fleet.Diary, pace time.Duration, counters []counterName) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{name: name, c: c, diary: diary, at: make(map[counterName]fleet.Activation)}
	l.reset()
	var wg sync.WaitGroup
	ticker := time.NewTicker(pace)
	for _, counter := range counters {
		wg.Go(func() {
			for {
				select {
				case <-ticker.C:
					l.call(counter)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	l.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		ticker.Stop()
	})
	return l
}

// call adds one to a counter.
func (l *load) call(counter counterName) {
	kind, identity := counter.split()
	l.mu.Lock()
	round := l.round
	l.mu.Unlock()
	began := time.Now()
	at, err := call(l.c, l.diary, l.name, counter, wrapperspb.Int64(1))
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if err != nil {
		if l.failures[kind] == nil {
			l.failures[kind] = make(map[string]int)
		}
		l.failures[kind][addresses.ReplaceAllString(strings.ReplaceAll(err.Error(), identity, "…"), "…")]++
		l.errs[kind] = append(l.errs[kind], err)
		return
	}
	l.answers[kind]++
	l.at[counter] = at
	l.slowest = max(l.slowest, took)
	if l.awaited[counter] && round == l.round {
		if delete(l.awaited, counter); len(l.awaited) == 0 {
			close(l.done)
		}
	}
}

// call makes one call, writes it into the diary, and gives the activation that answered.
func call(c *cluster.Cluster, diary *fleet.Diary, client string, counter counterName, message any, opts ...cluster.GrainCallOption) (fleet.Activation, error) {
	kind, identity := counter.split()
	diary.Write(called, client, string(counter))
	reply, err := c.Call(identity, kind, message, opts...)
	text, ok := reply.(*wrapperspb.StringValue)
	if err == nil && !ok {
		err = fmt.Errorf("the reply is a %T", reply)
	}
	if err != nil {
		diary.Write(failed, client, string(counter))
		return fleet.Activation{}, err
	}
	diary.Write(replied, client, text.Value)
	id, _, _ := strings.Cut(text.Value, " ")
	return fleet.ParseActivation(id)
}

// reset begins to count anew.
func (l *load) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures = figures{answers: make(map[string]int), failures: make(map[string]map[string]int), errs: make(map[string][]error)}
}

// every waits until each of the counters has answered a call that began from now on, and gives how long that took.
func (l *load) every(t *testing.T, limit time.Duration, counters []counterName) time.Duration {
	t.Helper()
	return l.wait(t, limit, l.expect(counters))
}

// expectation is what a load waits for.
type expectation struct {
	began    time.Time
	counters int
	answered chan struct{}
}

// expect begins to wait until each of the counters has answered a call that began from now on.
func (l *load) expect(counters []counterName) expectation {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round++
	l.awaited, l.done = make(map[counterName]bool), make(chan struct{})
	for _, counter := range counters {
		l.awaited[counter] = true
	}
	return expectation{time.Now(), len(counters), l.done}
}

// wait waits for what was expected last.
func (l *load) wait(t *testing.T, limit time.Duration, e expectation) time.Duration {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-e.answered:
	case <-timer.C:
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("%s: after %s, %d of %d counters have not answered, %v; failed calls: %s",
			l.name, limit, len(l.awaited), e.counters, slices.Collect(maps.Keys(l.awaited))[:1], text(l.failures))
	}
	return time.Since(e.began)
}

// since gives the figures since the last reset.
func (l *load) since() figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.figures
	f.answers, f.failures, f.errs = maps.Clone(f.answers), make(map[string]map[string]int), make(map[string][]error)
	for kind := range l.failures {
		f.failures[kind], f.errs[kind] = maps.Clone(l.failures[kind]), slices.Clone(l.errs[kind])
	}
	return f
}

// on gives the counters whose last answer came from a member.
func (l *load) on(id driver.MemberID) (found []counterName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for counter, at := range l.at {
		if at.Member == id {
			found = append(found, counter)
		}
	}
	return found
}

// text shows failures, by kind and error, one a line.
func text(failures map[string]map[string]int) string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(failures)) {
		for _, err := range slices.Sorted(maps.Keys(failures[kind])) {
			fmt.Fprintf(&b, "\n    %s: %4d × %s", kind, failures[kind][err], err)
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// counters names n counters of each kind.
func counters(n int, kinds ...string) (names []counterName) {
	for _, kind := range kinds {
		for i := range n {
			names = append(names, counterName(fmt.Sprintf("%s/counter-%d", kind, i)))
		}
	}
	return names
}
