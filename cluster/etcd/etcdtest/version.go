package etcdtest

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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

// serversVariable is the environment variable with the folder of the servers that tools/servers built.
const serversVariable = "GRANARY_TEST_SERVERS"

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
	return v.startAll(t, 1, clients, append([]string{"--heartbeat-interval", "10", "--election-timeout", "100"}, flags...)).Servers[0]
}

// StartThree starts three servers that are one etcd, and waits until they serve. Their timing is etcd's own: a leader
// that is silent for one to two seconds is replaced, and the least lease time is two seconds.
func (v Version) StartThree(t testing.TB, flags ...string) *Ensemble {
	t.Helper()
	return v.startAll(t, 3, nil, flags)
}

// need skips a test, or fails it, where the program of this version is not there.
func (v Version) need(t testing.TB) (program string) {
	t.Helper()
	program, err := v.program()
	switch {
	case err == nil:
		return program
	case v == Newest && os.Getenv(serversVariable) == "":
		t.Skipf("needs etcd %s, which `make test-all` builds", v)
	}
	t.Fatal(err)
	return ""
}

func (v Version) program() (string, error) {
	if v != Newest {
		program, err := exec.LookPath("etcd")
		if err != nil {
			return "", fmt.Errorf("etcdtest: %w: run scripts/setup, which installs Debian's etcd-server", err)
		}
		return program, nil
	}
	program := filepath.Join(os.Getenv(serversVariable), "etcd")
	if _, err := os.Stat(program); err != nil { //nolint:gosec // whoever runs the tests names the folder
		return "", fmt.Errorf("etcdtest: %w: run `go run ./tools/servers etcd`, and set %s as it says", err, serversVariable)
	}
	return program, nil
}
