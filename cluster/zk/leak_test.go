package zk

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/zk/zktest"
	"github.com/granary-go/granary/internal/membertest"
)

// Whatever happens to a session, Close ends all that it runs, and soon. Not parallel: it counts all goroutines.
func TestNothingIsLeft(t *testing.T) {
	server := zktest.Start(t)
	proxy, ctx := zktest.NewProxy(t, server.Address), within(t)
	before := runtime.NumGoroutine()
	for name, harm := range map[string]func(){
		"nothing happens":       func() {},
		"connections break":     proxy.Break,
		"nothing passes":        proxy.Block,
		"the server is gone":    server.Stop,
		"the server is emptied": func() { server.Empty(t) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { // for the next
				proxy.Break()
				proxy.Unblock()
				server.Restart(t)
			}()
			p := New([]string{proxy.Address}, leased)
			r := membertest.Request("a", "127.0.0.1:1")
			r.Cluster = name
			session, err := p.Join(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			m := &membertest.Process{ID: "a", Session: session}
			m.Holds(t, m)
			harm()
			begun := time.Now()
			if err := session.Close(); err != nil {
				t.Error(err)
			}
			if passed := time.Since(begun); passed > 30*time.Second {
				t.Errorf("Close took %v", passed)
			} else {
				t.Logf("Close took %v", passed)
			}
		})
	}
	for range 3 {
		_, err1 := New([]string{"127.0.0.1:1"}, WithTTL(time.Second)).Join(ctx, membertest.Request("a", "127.0.0.1:1"))
		_, err2 := New([]string{proxy.Address}, leased, WithAuth("nonsense", nil)).Join(ctx, membertest.Request("a", "127.0.0.1:1"))
		if err1 == nil || err2 == nil {
			t.Errorf("Join: %v", errors.Join(err1, err2))
		}
	}
	defer func() {
		if t.Failed() {
			stacks := make([]byte, 1<<20)
			t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
		}
	}()
	eventually(ctx, t, "no goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}
