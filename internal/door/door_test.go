package door

import (
	"net"
	"testing"
)

// addr is an address of a network in memory.
type addr string

func (addr) Network() string  { return "mem" }
func (a addr) String() string { return string(a) }

// conn is a connection from an address.
type conn struct {
	net.Conn

	from   addr
	closed bool
}

func (c *conn) RemoteAddr() net.Addr { return c.from }
func (*conn) LocalAddr() net.Addr    { return addr("here:1") }
func (c *conn) Close() error         { c.closed = true; return nil }

// queue is a listener to which connections come in order.
type queue struct{ waiting []net.Conn }

func (q *queue) Accept() (net.Conn, error) {
	if len(q.waiting) == 0 {
		return nil, net.ErrClosed
	}
	c := q.waiting[0]
	q.waiting = q.waiting[1:]
	return c, nil
}
func (*queue) Close() error   { return nil }
func (*queue) Addr() net.Addr { return addr("here:1") }

// site is a door, and what comes to it.
type site struct {
	*testing.T

	queue   *queue
	door    *Door
	refused []string
}

func newSite(t *testing.T, most, perHost int) *site {
	s := &site{T: t, queue: &queue{}}
	s.door = New(s.queue, most, perHost, func(_ net.Addr, why string) { s.refused = append(s.refused, why) })
	return s
}

// comes has a connection come, and gives it, or nil if it was turned away.
func (s *site) comes(from addr) net.Conn {
	s.Helper()
	c := &conn{from: from}
	s.queue.waiting = append(s.queue.waiting, c)
	got, err := s.door.Accept()
	if (err != nil) != c.closed {
		s.Errorf("accepted: %v; closed: %v", err, c.closed)
	}
	return got
}

func (s *site) want(strangers, refused int) {
	s.Helper()
	if got := s.door.Strangers(); got != strangers || len(s.refused) != refused {
		s.Errorf("%d strangers, refused %q; want %d and %d", got, s.refused, strangers, refused)
	}
}

func TestDoor(t *testing.T) {
	s := newSite(t, 3, 2)
	first := s.comes("a:1")
	s.comes("a:2")
	s.comes("a:3") // too many of a
	s.want(2, 1)
	s.comes("b:1")
	s.comes("c:1") // too many
	s.want(3, 2)
	for range 2 {
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	s.want(2, 2)
	if s.comes("c:1") == nil {
		t.Error("there was room again")
	}
	s.want(3, 2)
	if len(s.door.hosts) != 3 || len(s.door.open) != 3 {
		t.Errorf("kept: %v, %v", s.door.hosts, s.door.open)
	}
}

func (s *site) claim(c net.Conn) *Claim {
	s.Helper()
	claim, free := s.door.Claim(c.RemoteAddr(), c.LocalAddr())
	if !free {
		s.Error("it is claimed")
	}
	return claim
}

func TestIntroduction(t *testing.T) {
	s := newSite(t, 1, 1)
	a := s.comes("a:1")
	first := s.claim(a)
	s.want(1, 0)
	first.Introduce()
	if _, free := s.door.Claim(a.RemoteAddr(), a.LocalAddr()); free {
		t.Error("claimed twice")
	}
	nobody, free := s.door.Claim(addr("nobody:1"), nil)
	if !free {
		t.Error("who came by no door was turned away")
	}
	nobody.Introduce()
	nobody.Release()
	s.want(0, 0)
	b := s.comes("a:2")
	s.comes("a:3")
	s.want(1, 1)
	first.Release() // now there is one too many
	s.want(2, 1)
	s.claim(a).Release()
	_ = a.Close()
	s.want(1, 1)
	second := s.claim(b)
	second.Introduce()
	_ = b.Close()
	second.Introduce()
	second.Release()
	s.want(0, 1)
	if len(s.door.hosts)+len(s.door.open) > 0 {
		t.Errorf("kept: %v, %v", s.door.hosts, s.door.open)
	}
}

// Where all connections have one address they stand for each other.
func TestNamelessNetwork(t *testing.T) {
	s := newSite(t, 2, 2)
	a, b := s.comes("pipe"), s.comes("pipe")
	first, second := s.claim(a), s.claim(a)
	if _, free := s.door.Claim(addr("pipe"), addr("here:1")); free {
		t.Error("a third was claimed of two")
	}
	first.Introduce()
	second.Introduce()
	s.want(0, 0)
	first.Release()
	s.want(1, 0)
	_, _ = a.Close(), b.Close()
	second.Release()
	s.want(0, 0)
}
