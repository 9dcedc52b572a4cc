package etcdtest

import (
	"crypto/tls"
	"fmt"
	"os/exec"
	"testing"

	"github.com/granary-go/granary/internal/servertest"
)

// Version is which etcd a test starts.
type Version string

// The versions that tests start.
const (
	// Oldest is the oldest that is supported.
	Oldest Version = "3.4"
	// Newest is the newest that is tested.
	Newest Version = "3.7"
)

// Each runs a test on each version, in subtests that run beside each other.
func Each(t *testing.T, test func(t *testing.T, v Version)) {
	for _, v := range []Version{Oldest, Newest} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			v.need(t)
			test(t, v)
		})
	}
}

// Start starts a server of this version and waits until it serves. Further flags are those of the etcd program. The
// least lease time that it grants is a second.
func (v Version) Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	return v.StartTLS(t, nil, flags...)
}

// StartTLS is [Version.Start] for a server that speaks TLS, as its flags say; clients of the package use the
// configuration.
func (v Version) StartTLS(t testing.TB, clients *tls.Config, flags ...string) *Server {
	t.Helper()
	return v.startAll(t, 1, clients, append([]string{"--heartbeat-interval", "100", "--election-timeout", "500"}, flags...)).Servers[0]
}

// StartThree starts three servers that are one etcd, and waits until they serve. Their timing is etcd's own: a leader
// that is silent for one to two seconds is replaced, and the least lease time is two seconds.
func (v Version) StartThree(t testing.TB, flags ...string) *Ensemble {
	t.Helper()
	return v.startAll(t, 3, nil, flags)
}

// need gives the program of this version, or ends a test that cannot have it.
func (v Version) need(t testing.TB) (program string) {
	t.Helper()
	if v == Newest {
		servertest.Need(t, "etcd "+string(v))
	}
	program, err := v.program()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func (v Version) program() (string, error) {
	if v == Newest {
		return servertest.Built("etcd")
	}
	program, err := exec.LookPath("etcd")
	if err != nil {
		return "", fmt.Errorf("etcdtest: %w: run scripts/setup, which installs Debian's etcd-server", err)
	}
	return program, nil
}
