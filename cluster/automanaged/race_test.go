package automanaged

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSilentHostsHoldUpAClientLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "d1:6330", "d2:6330", "d3:6330", "d4:6330")
		for _, dead := range []string{"d1", "d2", "d3", "d4"} {
			s.network.cut("c", dead, true)
		}
		a := s.member("a").open()
		a.holds(a)
		for range 20 { // the order is one of chance
			c := s.client("c").open()
			begin := time.Now()
			c.holds(a)
			if took := time.Since(begin); took > 4*headStart+100*time.Millisecond {
				t.Errorf("took %v", took)
			}
			c.crash()
		}
	})
}

// counted tells when it is closed.
type counted struct {
	net.Conn
	once sync.Once
	open *atomic.Int32
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

func TestClientFollowsOnlyTheFastest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		a, b := s.member("a").open(), s.member("b").open()
		allHold(t, a, b)
		c := s.client("c")
		var dials, open atomic.Int32
		far := s.network.dialer("c")
		c.provider = c.provider.WithDialer(func(ctx context.Context, address string) (net.Conn, error) {
			dials.Add(1)
			time.Sleep(headStart + headStart/2)
			conn, err := far(ctx, address)
			if err != nil {
				return nil, err
			}
			open.Add(1)
			return &counted{Conn: conn, open: &open}, nil
		})
		c.open()
		c.holds(a, b)
		time.Sleep(time.Minute)
		if dials.Load() != 2 || open.Load() != 1 {
			t.Errorf("%d dials, %d connections are open; want two asked and one followed", dials.Load(), open.Load())
		}
		d := s.member("d").open()
		c.holds(a, b, d)
	})
}
