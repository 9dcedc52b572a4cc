package lookuptest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
)

// Load calls grains until it is ended.
type Load struct {
	// End ends it and waits for the calls under way. It may be called again.
	End func()

	calls, failed atomic.Int64
}

// Load begins to call the first n grains from these members and clients. A call that fails is an error of the test.
func (f *Fleet) Load(n int, from ...*cluster.Cluster) *Load {
	l := new(Load)
	ctx, cancel := context.WithCancel(f.t.Context())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := i; ctx.Err() == nil; j += 7 {
				_, err := Add(ctx, from[j%len(from)], fmt.Sprint("counter-", j%n+1))
				if err != nil && ctx.Err() == nil {
					l.failed.Add(1)
					f.t.Errorf("under load: %v", err)
				}
				l.calls.Add(1)
			}
		})
	}
	l.End = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	f.t.Cleanup(l.End)
	return l
}

// Calls counts the calls that have ended.
func (l *Load) Calls() int64 { return l.calls.Load() }

// Failed counts those of them that failed.
func (l *Load) Failed() int64 { return l.failed.Load() }

// More waits until so many more calls have ended.
func (l *Load) More(t testing.TB, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for until := l.calls.Load() + n; l.calls.Load() < until; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("only %d calls; want %d", l.calls.Load(), until)
		}
	}
}
