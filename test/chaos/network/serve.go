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

// Serve makes a server, which listens at the target's host:port on the loopback as a rule, reachable at a port of this
// host: whoever connects to the port talks with the target, and a half that is closed is closed at the other end. While
// the target does not take connections, those to the port are reset at once, so that some dials fail and others do not. It
// serves until the network is closed.
func (h *Host) Serve(port int, target string) error {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return fmt.Errorf("network: serve %q: it takes the host:port of a server: %w", target, err)
	}
	l, err := h.Listen(port)
	if err != nil {
		return err
	}
	return h.served.serve(l, func(ctx context.Context, conn *net.TCPConn) { forward(ctx, conn, target) })
}

// servers handle connections until they are closed.
type servers struct {
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows
	ctx    context.Context
	cancel context.CancelFunc
	closed bool
}

// serve handles each connection that the listener, which it owns, accepts, in a goroutine that owns the connection.
func (s *servers) serve(l net.Listener, handle func(context.Context, *net.TCPConn)) error {
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
		s.accept(ctx, l, handle)
	})
	return nil
}

func (s *servers) accept(ctx context.Context, l net.Listener, handle func(context.Context, *net.TCPConn)) {
	for {
		near, err := tcp(l.Accept())
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
		s.running.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = near.Close() })
			defer stop()
			handle(ctx, near)
		})
	}
}

// forward joins a connection with one to the target until both halves have ended, or ctx has.
func forward(ctx context.Context, near *net.TCPConn, target string) {
	far, err := tcp(new(net.Dialer).DialContext(ctx, "tcp", target))
	if err != nil {
		reset(near)
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = far.Close() })
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

// tcp takes a connection that was made for TCP as what it is.
func tcp(conn net.Conn, err error) (*net.TCPConn, error) {
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("network: a %T is no TCP connection", conn)
	}
	return c, nil
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
