package drivertest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/internal/servertest"
)

// echo starts a server that sends back what it gets.
func echo(t *testing.T) (address string) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // until the client closes
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return listener.Addr().String()
}

// caller has a connection by way of a proxy.
type caller struct {
	t *testing.T
	net.Conn
	err error // why there is none
}

func call(t *testing.T, p *drivertest.Proxy) caller {
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Address())
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return caller{t, c, err}
}

// says sends a text and reads it back.
func (c caller) says(within time.Duration) error {
	if c.err != nil {
		return c.err
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	return c.hears(within)
}

func (c caller) hears(within time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		c.t.Fatal(err)
	}
	got := make([]byte, len("hello"))
	_, err := io.ReadFull(c, got)
	return err
}

func TestProxy(t *testing.T) {
	const long, short = 20 * time.Second, 50 * time.Millisecond
	p := drivertest.NewProxy(t, echo(t))
	c := call(t, p)
	if err := c.says(long); err != nil {
		t.Fatal(err)
	}

	heal := p.Stall()
	if err := c.says(short); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while it stalls: %v", err)
	}
	heal()
	heal() // once is enough
	if err := c.hears(long); err != nil {
		t.Errorf("what was sent while it stalled: %v", err)
	}

	p.Slow(100 * time.Millisecond)
	begun := time.Now()
	if err := c.says(long); err != nil || time.Since(begun) < 200*time.Millisecond {
		t.Errorf("a slow round trip: %v, %v", time.Since(begun), err)
	}
	p.Slow(0)

	p.Break()
	if err := c.says(long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("over a connection that was broken: %v", err)
	}
	c = call(t, p)
	if err := c.says(long); err != nil {
		t.Errorf("over a new one: %v", err)
	}

	heal = p.Cut()
	for _, cut := range []caller{c, call(t, p)} {
		if err := cut.says(long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("while it is cut: %v", err)
		}
	}
	heal()
	if err := call(t, p).says(long); err != nil {
		t.Errorf("after it was cut: %v", err)
	}
}

func TestProxyBeforeNothing(t *testing.T) {
	if err := call(t, drivertest.NewProxy(t, servertest.Address(t))).says(20 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nobody is there: %v", err)
	}
}
