package etcdtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granary-go/granary/internal/servertest"
)

func TestVersions(t *testing.T) {
	Each(t, func(t *testing.T, v Version) {
		server := v.Start(t)
		status, err := server.Client(t).Status(t.Context(), server.Endpoint)
		if err != nil || !strings.HasPrefix(status.Version, string(v)+".") {
			t.Errorf("a server of version %s says: %+v, %v", v, status, err)
		}
	})
}

func TestThree(t *testing.T) {
	Each(t, func(t *testing.T, v Version) {
		three := v.StartThree(t)
		client := three.Client(t)
		first := three.Leader(t)
		if _, err := client.Put(t.Context(), "key", "value"); err != nil {
			t.Fatal(err)
		}
		first.Stop()
		second := three.Leader(t)
		if second == first {
			t.Error("a server that was killed is the leader")
		}
		first.Restart(t)
		second.Pause(t)
		if third := three.Leader(t); third == second {
			t.Error("a server that is paused is the leader")
		}
		for _, s := range three.Others(second) {
			if got, err := s.Client(t).Get(t.Context(), "key"); err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "value" {
				t.Errorf("%s has %v, %v; want the value that was put", s.name, got, err)
			}
		}
		second.Resume(t)
	})
}

// No t.Parallel: it sets the environment.
func TestNewestHasToBeThere(t *testing.T) {
	t.Setenv(servertest.Variable, t.TempDir())
	if _, err := Newest.program(); err == nil || !strings.Contains(err.Error(), "go run ./tools/servers etcd") {
		t.Errorf("without the program: %v; want an error that says how to build it", err)
	}
	t.Setenv(servertest.Variable, "")
	skipped := ""
	func() {
		defer func() { skipped, _ = recover().(string) }()
		Newest.need(skipper{t})
	}()
	if skipped != "needs etcd 3.7, which `make test-all` builds" {
		t.Errorf("without %s a test of the newest version skips with %q", servertest.Variable, skipped)
	}
}

// skipper is a test that panics instead of skipping.
type skipper struct{ testing.TB }

func (skipper) Skipf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
