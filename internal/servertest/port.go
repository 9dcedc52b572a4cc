package servertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

const (
	// firstPort is the lowest that is reserved, and endPort is above the highest: Linux gives out those from 32768 on.
	firstPort, endPort = 10240, 32768
	// attempts bounds how many ports are tried before one is free.
	attempts = 1000
)

// Reserve finds a port of the loopback that nobody uses, and keeps it until release is called. Until a server listens
// there, connections are refused.
func Reserve() (port int, release func(), err error) {
	for range attempts {
		port = firstPort + rand.IntN(endPort-firstPort)
		if release, err = hold(port); err != nil {
			continue
		}
		if err = freeForUDP(port); err == nil {
			return port, release, nil
		}
		release()
	}
	return 0, nil, fmt.Errorf("servertest: none of %d ports from %d to %d is free; the last: %w", attempts, firstPort, endPort-1, err)
}

// freeForUDP tells why UDP cannot have a port: some servers want both.
func freeForUDP(port int) error {
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", At(port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// Port is [Reserve] for the length of a test.
func Port(t testing.TB) int {
	t.Helper()
	port, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// Address is [Port] as host:port.
func Address(t testing.TB) string {
	t.Helper()
	return At(Port(t))
}

// At is the address of a port of the loopback, as host:port.
func At(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
