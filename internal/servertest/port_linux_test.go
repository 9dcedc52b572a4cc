package servertest

import (
	"context"
	"net"
	"testing"
)

// No t.Parallel: a process that another test starts shares what is open here until it is a program of its own.
func TestPortIsHeld(t *testing.T) {
	port, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if port < firstPort || port >= endPort {
		t.Errorf("port %d is among those that the system gives out", port)
	}
	dialer := new(net.Dialer)
	for range 3 { // a server comes, and comes again
		if conn, err := dialer.DialContext(t.Context(), "tcp", At(port)); err == nil {
			conn.Close()
			t.Error("nobody listens, and a connection is made")
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", At(port))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dialer.DialContext(t.Context(), "tcp", At(port))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Close(), l.Close()
	}
	again, err := hold(port)
	if err == nil {
		again()
		t.Error("a port that is held is held again")
	}
	release()
	release() // once is enough
	err = Poll(within(t), func(context.Context) error {
		again, err := hold(port) // a connection that was closed may be remembered for a minute
		if err == nil {
			again()
		}
		return err
	})
	if err != nil {
		t.Errorf("a port that was released: %v", err)
	}
}

func TestPortsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 500 {
		seen[Address(t)] = true
	}
	if len(seen) != 500 {
		t.Errorf("500 addresses are %d", len(seen))
	}
}
