package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const retryAccept = 10 * time.Millisecond

// Serve makes a server that listens on the loopback reachable at the same or another port of this host: whoever connects
// to the port talks with the target, host:port, and a half that is closed is closed at the other end. While the target does
// not take connections, those to the port are reset at once. It serves until the network is closed.
func (h *Host) Serve(port int, target string) error {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return fmt.Errorf("network: serve %q: it takes the host:port of a server: %w", target, err)
	}
	l, err := h.Listen(port)
	if err != nil {
		return err
	}
	return h.served.serve(l, target)
}

// servers forward connections to targets until they are closed.
type servers struct {
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows
	ctx    context.Context
	cancel context.CancelFunc
	closed bool
}

// serve forwards what the listener, which it owns, accepts.
func (s *servers) serve(l net.Listener, target string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
		return ErrClosed
	}
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	ctx := s.ctx
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	s.running.Go(func() {
		defer stop()
		s.accept(ctx, l, target)
	})
	return nil
}

func (s *servers) accept(ctx context.Context, l net.Listener, target string) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors, as a rule
			select {
			case <-ctx.Done():
			case <-time.After(retryAccept):
			}
			continue
		}
		s.running.Go(func() { forward(ctx, conn.(*net.TCPConn), target) })
	}
}

// forward joins a connection, which it owns, with one to the target until both halves have ended, or ctx has.
func forward(ctx context.Context, near *net.TCPConn, target string) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		reset(near)
		return
	}
	far := conn.(*net.TCPConn)
	stop := context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })
	defer stop()
	var halves sync.WaitGroup
	copyHalf := func(to, from *net.TCPConn) {
		_, err := io.Copy(to, from)
		if err == nil {
			err = to.CloseWrite()
		}
		if err != nil {
			reset(near)
			reset(far)
		}
	}
	halves.Go(func() { copyHalf(far, near) })
	copyHalf(near, far)
	halves.Wait()
	_, _ = near.Close(), far.Close()
}

// reset closes a connection so that the other end sees an error.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func (s *servers) close() {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
}
