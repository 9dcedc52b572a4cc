package network_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

// answer replies to a question when that has ended.
func answer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		question, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("re: "), question...))
		_ = conn.Close()
	}
}

func TestServe(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, store := host(t, n, "a"), host(t, n, "store")
		server, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		target := server.Addr().String()
		if err := store.Serve(2379, target); err != nil {
			t.Fatal(err)
		}
		go answer(server)
		conn := dial(t, a, store.Address()+":2379")
		if _, err := io.WriteString(conn, "question"); err != nil {
			t.Fatal(err)
		}
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); string(got) != "re: question" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}

		_ = server.Close()
		conn, err = a.Dial(t.Context(), store.Address()+":2379")
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(limit))
			if got, err := io.ReadAll(conn); len(got) > 0 || isTimeout(err) {
				t.Errorf("a server that is down sent %q, %v", got, err)
			}
			_ = conn.Close()
		}

		if server, err = net.Listen("tcp", target); err != nil {
			t.Skipf("the port was taken by somebody else: %v", err)
		}
		defer func() { _ = server.Close() }()
		go echo(server)
		ask(t, dial(t, a, store.Address()+":2379"), "back again")
	})
}
