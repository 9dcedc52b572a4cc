package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

func TestProcessesTalk(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		_, server := start(t, b, program(t, b, "echo", b.Address()+":4000"))
		expect(t, server, "listening")
		in, client := start(t, a, program(t, a, "call", b.Address()+":4000"))
		expect(t, client, "connected from "+a.Address()+":")
		fmt.Fprintln(in, "hello")
		expect(t, client, "hello")
		if c := n.LinkCounts(a, b); c.Passed == 0 || c.Bytes == 0 {
			t.Errorf("counted %+v from a to b", c)
		}

		n.Set(a, b, network.Link{Blocked: true})
		fmt.Fprintln(in, "still there?")
		wait(t, "a packet that is blocked", func() bool { return n.LinkCounts(a, b).Blocked > 0 })
		n.Heal()
		expect(t, client, "still there?")
	})
}

func TestPartitionOneWay(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		accepted := make(chan net.Conn, 1)
		go func() {
			conn, _ := l.Accept()
			accepted <- conn
		}()
		near := dial(t, a, l.Addr().String())
		far := <-accepted
		defer func() { _ = far.Close() }()
		_ = far.SetDeadline(time.Now().Add(limit))

		n.Set(a, b, network.Link{Blocked: true})
		for _, text := range []string{"one", "two"} { // b to a flows
			if _, err := io.WriteString(far, text); err != nil {
				t.Fatal(err)
			}
			if got := read(near, len(text)); got != text {
				t.Fatalf("read %q, want %q", got, text)
			}
		}
		if _, err := io.WriteString(near, "held"); err != nil {
			t.Fatal(err)
		}
		wait(t, "a packet that is blocked", func() bool { return n.LinkCounts(a, b).Blocked > 0 })
		_ = far.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if got := read(far, 4); got != "" {
			t.Fatalf("read %q over a blocked link", got)
		}
		_ = far.SetReadDeadline(time.Now().Add(limit))
		n.Heal()
		if got := read(far, 4); got != "held" {
			t.Fatalf("read %q after Heal", got)
		}
	})
}

func read(r io.Reader, size int) string {
	got := make([]byte, size)
	size, _ = io.ReadFull(r, got)
	return string(got[:size])
}

func TestDialOfWhatIsBlockedHangsUntilHealed(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		n.Set(b, a, network.Link{Blocked: true})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if conn, err := a.Dial(ctx, l.Addr().String()); err == nil || !isTimeout(err) {
			t.Fatalf("connected %v, %v; want a time-out", conn, err)
		}
		wait(t, "a reply that is blocked", func() bool { return n.LinkCounts(b, a).Blocked > 0 })
		before := n.LinkCounts(b, a).Blocked
		dialed := make(chan error, 1)
		go func() {
			conn, err := a.Dial(t.Context(), l.Addr().String())
			if err == nil {
				_ = conn.Close()
			}
			dialed <- err
		}()
		wait(t, "a reply that is blocked", func() bool { return n.LinkCounts(b, a).Blocked > before })
		n.Heal()
		if err := <-dialed; err != nil {
			t.Error(err)
		}
	})
}

// TestDialThatIsGivenUp leaves nothing behind while the link is blocked.
func TestDialThatIsGivenUp(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		n.Set(a, b, network.Link{Blocked: true})
		before := runtime.NumGoroutine()
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := a.Dial(ctx, l.Addr().String()); err == nil {
				t.Error("connected over a blocked link")
			}
			cancel()
		}
		wait(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func TestDelay(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		conn := dial(t, a, l.Addr().String())
		ask(t, conn, "fast")
		n.Set(a, b, network.Link{Delay: 60 * time.Millisecond})
		n.Set(b, a, network.Link{Delay: 40 * time.Millisecond, Jitter: 10 * time.Millisecond})
		if took := ask(t, conn, "slow"); took < 100*time.Millisecond {
			t.Errorf("a round trip took %s, want 100ms at least", took)
		}
		if there, back := n.LinkCounts(a, b).Delayed, n.LinkCounts(b, a).Delayed; there == 0 || back == 0 {
			t.Errorf("delayed %d there and %d back", there, back)
		}
		n.Set(a, b, network.Link{Delay: time.Hour})
		if _, err := io.WriteString(conn, "late"); err != nil {
			t.Fatal(err)
		}
		wait(t, "a packet that waits", func() bool { return n.LinkCounts(a, b).Delayed > 1 })
		n.Heal() // lets it pass
		if got := read(conn, 4); got != "late" {
			t.Errorf("read %q after Heal", got)
		}
	})
}

func TestRate(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		conn := dial(t, a, l.Addr().String())
		n.Set(a, b, network.Link{Rate: 500_000})
		if took := ask(t, conn, strings.Repeat("x", 200_000)); took < 350*time.Millisecond {
			t.Errorf("200 kB at 500 kB/s took %s, want 400ms", took)
		}
	})
}

func TestLossAndDuplicatesAndDisorderAreMended(t *testing.T) {
	n := newNetwork(t, network.Namespaces)
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go echo(l)
	conn := dial(t, a, l.Addr().String())
	n.Set(a, b, network.Link{Loss: 0.02, Reorder: 0.1, Duplicate: 0.1})
	n.Set(b, a, network.Link{Loss: 0.02, Reorder: 0.1, Duplicate: 0.1})
	for c := n.Counts(); c.Lost == 0 || c.Reordered == 0 || c.Duplicated == 0; c = n.Counts() {
		ask(t, conn, strings.Repeat("granary ", 10_000))
	}
	t.Logf("%+v", n.Counts())
}

func TestLossResetsProxiedConnectionsNowAndThen(t *testing.T) {
	n := newNetwork(t, network.Proxies)
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go echo(l)
	conn := dial(t, a, l.Addr().String())
	n.Set(a, b, network.Link{Loss: 0.5})
	for {
		before := n.LinkCounts(a, b).Lost
		begin := time.Now()
		_, _ = io.WriteString(conn, "hello")
		_, err := io.ReadFull(conn, make([]byte, 5))
		if err == nil {
			if took := time.Since(begin); n.LinkCounts(a, b).Lost > before && took < 200*time.Millisecond {
				t.Fatalf("a piece was lost and came after %s", took)
			}
			continue
		}
		if c := n.LinkCounts(a, b); c.Reset != 1 || !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%v, and counted %+v", err, c)
		}
		return
	}
}

// TestBlockedMeansNow sends without end, and sees that nothing passes from when Set has returned.
func TestBlockedMeansNow(t *testing.T) {
	n := newNetwork(t, network.Namespaces)
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	conn := dial(t, a, l.Addr().String())
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		for buffer := make([]byte, 1<<16); ; {
			if _, err := conn.Write(buffer); err != nil {
				return
			}
		}
	}()
	for range 20 {
		before := n.LinkCounts(a, b).Passed
		wait(t, "packets to pass", func() bool { return n.LinkCounts(a, b).Passed > before })
		blocked := n.LinkCounts(a, b).Blocked
		n.Set(a, b, network.Link{Blocked: true})
		passed := n.LinkCounts(a, b).Passed
		wait(t, "a packet that is blocked", func() bool { return n.LinkCounts(a, b).Blocked > blocked })
		if now := n.LinkCounts(a, b).Passed; now != passed {
			t.Fatalf("%d packets have passed", now-passed)
		}
		n.Heal()
	}
	_ = conn.Close()
	<-sending
}
