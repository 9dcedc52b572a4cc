package fleet

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

	"github.com/granary-go/granary/cluster/driver"
)

// Name names a grain: kind/identity.
type Name string

// Split gives both.
func (n Name) Split() (kind, identity string) {
	kind, identity, _ = strings.Cut(string(n), "/")
	return kind, identity
}

// Names makes up the names of n grains of each kind.
func Names(n int, kinds ...string) (names []Name) {
	for _, kind := range kinds {
		for i := range n {
			names = append(names, Name(fmt.Sprintf("%s/counter-%d", kind, i)))
		}
	}
	return names
}

// Load calls grains, each one call after the other. Its methods may be called from several goroutines.
type Load struct {
	// Name is the caller's.
	Name string
	// Stop ends the load and waits for the calls under way. It may be called again.
	Stop func()

	call     func(Name) (Activation, error)
	mu       sync.Mutex // guards what follows
	figures  Figures
	at       map[Name]Activation // that answered last
	expected *Expectation
}

// addresses differ from failure to failure, as identities do.
var addresses = regexp.MustCompile(`127\.0\.0\.1:[0-9]+(->127\.0\.0\.1:[0-9]+)?`)

// Figures are what a load has met since they were reset.
type Figures struct {
	Calls    int
	Answers  map[string]int            // by kind
	Failures map[string]map[string]int // by kind, by error
	Errs     map[string][]error        // by kind
	Slowest  time.Duration             // of the calls that were answered
}

// Failed counts the calls of all kinds that failed.
func (f Figures) Failed() (n int) {
	for _, errs := range f.Errs {
		n += len(errs)
	}
	return n
}

// BeginLoad starts to call grains, one call each pace at most. The call gives the activation that answered.
func BeginLoad(ctx context.Context, name string, pace time.Duration, names []Name, call func(Name) (Activation, error)) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{Name: name, call: call, at: make(map[Name]Activation), expected: &Expectation{}}
	l.Reset()
	var wg sync.WaitGroup
	ticker := time.NewTicker(pace)
	for _, name := range names {
		wg.Go(func() {
			for {
				select {
				case <-ticker.C:
					l.one(name)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	l.Stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		ticker.Stop()
	})
	return l
}

// one makes one call.
func (l *Load) one(name Name) {
	kind, identity := name.Split()
	l.mu.Lock()
	expected := l.expected
	l.mu.Unlock()
	began := time.Now()
	at, err := l.call(name)
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.figures
	f.Calls++
	if err != nil {
		if f.Failures[kind] == nil {
			f.Failures[kind] = make(map[string]int)
		}
		f.Failures[kind][addresses.ReplaceAllString(strings.ReplaceAll(err.Error(), identity, "…"), "…")]++
		f.Errs[kind] = append(f.Errs[kind], err)
		return
	}
	f.Answers[kind]++
	l.at[name] = at
	f.Slowest = max(f.Slowest, took)
	expected.answers(name)
}

// Reset begins to count anew.
func (l *Load) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures = Figures{Answers: make(map[string]int), Failures: make(map[string]map[string]int), Errs: make(map[string][]error)}
}

// Every waits until each of the grains has answered a call that began from now on, and gives how long that took.
func (l *Load) Every(t *testing.T, limit time.Duration, names []Name) time.Duration {
	t.Helper()
	return l.Wait(t, limit, l.Expect(names))
}

// An Expectation is what a load waits for. The load's mutex guards it until it is answered.
type Expectation struct {
	began, ended time.Time
	names        int
	awaited      map[Name]bool
	answered     chan struct{} // closed when awaited is empty
}

func (e *Expectation) answers(name Name) {
	if !e.awaited[name] {
		return
	}
	if delete(e.awaited, name); len(e.awaited) == 0 {
		e.ended = time.Now()
		close(e.answered)
	}
}

// Expect begins to wait until each of the grains has answered a call that began from now on.
func (l *Load) Expect(names []Name) *Expectation {
	e := &Expectation{began: time.Now(), names: len(names), awaited: make(map[Name]bool), answered: make(chan struct{})}
	for _, name := range names {
		e.awaited[name] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = e
	return e
}

// Wait waits for what was expected last, and gives how long that took since then.
func (l *Load) Wait(t *testing.T, limit time.Duration, e *Expectation) time.Duration {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-e.answered:
	case <-timer.C:
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("%s: after %s, %d of %d grains have not answered, %v; failed calls: %s",
			l.Name, limit, len(e.awaited), e.names, slices.Collect(maps.Keys(e.awaited))[:1], l.figures.Text())
	}
	return e.ended.Sub(e.began)
}

// Since gives the figures since the last reset.
func (l *Load) Since() Figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.figures
	f.Answers, f.Failures, f.Errs = maps.Clone(f.Answers), make(map[string]map[string]int), make(map[string][]error)
	for kind := range l.figures.Failures {
		f.Failures[kind], f.Errs[kind] = maps.Clone(l.figures.Failures[kind]), slices.Clone(l.figures.Errs[kind])
	}
	return f
}

// On gives the grains whose last answer came from a member.
func (l *Load) On(id driver.MemberID) (found []Name) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, at := range l.at {
		if at.Member == id {
			found = append(found, name)
		}
	}
	return found
}

// Text shows the failures, by kind and error, one a line.
func (f Figures) Text() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(f.Failures)) {
		for _, err := range slices.Sorted(maps.Keys(f.Failures[kind])) {
			fmt.Fprintf(&b, "\n    %s: %4d × %s", kind, f.Failures[kind][err], err)
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}
