package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/internal/membertest"
)

// steady is a member of a cluster on three servers, of which it is asked that nothing happens to it.
type steady struct {
	*membertest.Process
	renewals *atomic.Int64 // that a server granted
}

// startSteady joins over all servers, with the lease time as it comes: it is what gets over a change of leaders.
func startSteady(t *testing.T, three *etcdtest.Ensemble, port int) steady {
	t.Helper()
	m := steady{renewals: new(atomic.Int64)}
	c := three.Config()
	c.DialOptions = append(c.DialOptions, grpc.WithChainStreamInterceptor(count(m.renewals)))
	r := membertest.Request("", fmt.Sprintf("127.0.0.1:%d", port))
	r.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	m.Process = &membertest.Process{Provider: New(c), Request: r}
	for ctx := within(t); ; {
		err := m.Join(ctx)
		if err == nil {
			break
		}
		if t.Logf("%s joins: %v", r.Member.Address, err); ctx.Err() != nil { // there may be no leader just now
			t.Fatalf("%s does not join", r.Member.Address)
		}
	}
	t.Cleanup(func() { m.Crash(t) })
	return m
}

// count counts the answers to renewals.
func count(renewals *atomic.Int64) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := next(ctx, desc, cc, method, opts...)
		if err != nil || method != "/etcdserverpb.Lease/LeaseKeepAlive" {
			return stream, err
		}
		return counted{stream, renewals}, nil
	}
}

type counted struct {
	grpc.ClientStream
	renewals *atomic.Int64
}

func (c counted) RecvMsg(m any) error {
	err := c.ClientStream.RecvMsg(m)
	if err == nil {
		c.renewals.Add(1)
	}
	return err
}

// renewForLong waits until all have renewed their leases for longer than a lease lasts.
func renewForLong(t *testing.T, members []steady, what string) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	ctx, begun := within(t), time.Now()
	from := make([]int64, len(members))
	for i, m := range members {
		from[i] = m.renewals.Load()
	}
	for i, m := range members {
		for m.renewals.Load() < from[i]+2 || time.Since(begun) < record.DefaultTTL*5/4 {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				t.Fatalf("%s: %s has renewed its lease %d times", what, m.ID, m.renewals.Load()-from[i])
			}
		}
	}
}

// watchLease reports each phase of the lease that is none of a member that goes on, until the test ends.
func (m steady) watchLease(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for phase := driver.LeaseValid; ; {
			var err error
			switch phase, err = m.Session.Lease().Watch(ctx, phase); {
			case err != nil:
				return
			case phase == driver.LeaseFenced:
				t.Errorf("the lease of %s has ended", m.ID)
				return
			default:
				t.Logf("the lease of %s is %v", m.ID, phase)
			}
		}
	})
}

// A cluster of members gets over all that happens to one of three servers: nobody is removed, no lease ends, and
// changes are seen by all, wherever their watches were. A server that hangs is killed in the end: a leader that hangs for
// longer than the leases last and goes on may end leases that others have renewed, see the package's documentation.
func TestThreeServers(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		three := v.StartThree(t)
		var members []steady
		for port := range 3 {
			members = append(members, startSteady(t, three, port+1))
		}
		seeEachOther(t, members)
		for _, m := range members {
			m.watchLease(t)
		}
		for _, trouble := range []struct {
			name string
			do   func() *etcdtest.Server
		}{
			{"the leader is killed", func() *etcdtest.Server { s := three.Leader(t); s.Stop(); return s }},
			{"the leader hangs", func() *etcdtest.Server { s := three.Leader(t); s.Pause(t); return s }},
			{"a follower hangs", func() *etcdtest.Server { s := three.Others(three.Leader(t))[0]; s.Pause(t); return s }},
		} {
			begun := time.Now()
			server := trouble.do()
			members = append(members, startSteady(t, three, len(members)+1))
			seeEachOther(t, members)
			t.Logf("%s: all have seen a newcomer after %v", trouble.name, time.Since(begun).Round(time.Millisecond))
			renewForLong(t, members, trouble.name)
			server.Restart(t)
		}
		for _, m := range members {
			if m.Removals > 0 {
				t.Errorf("%s was removed", m.Request.Member.Address)
			}
		}
	})
}

func seeEachOther(t *testing.T, members []steady) {
	t.Helper()
	var all []*membertest.Process
	for _, m := range members {
		all = append(all, m.Process)
	}
	membertest.Together(t, all...)
}
