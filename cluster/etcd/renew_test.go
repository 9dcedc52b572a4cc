package etcd

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
)

// between does something after each renewal, before whoever asked for it goes on.
type between struct {
	clientv3.Lease
	do func()
}

func (b between) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	renewed, err := b.Lease.KeepAliveOnce(ctx, id)
	b.do()
	return renewed, err
}

// A renewal does not count if there is another leader once it is answered: that one may not know of it.
func TestRenewalUnderAnotherLeader(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		three := v.StartThree(t)
		s := &store{client: three.Servers[0].Client(t), prefix: "/granary/test/"} // with one endpoint: no call is made twice
		ctx := within(t)
		if _, err := s.Register(ctx, "one", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		if ttl, err := s.Renew(ctx); err != nil || ttl != time.Minute {
			t.Errorf("Renew under one leader: %v, %v; want %v", ttl, err, time.Minute)
		}
		plain := s.client.Lease
		s.client.Lease = between{plain, func() { moveLeader(t, three) }}
		if ttl, err := s.Renew(ctx); !errors.Is(err, errLeaders) {
			t.Errorf("Renew while the leader changes: %v, %v; want %v", ttl, err, errLeaders)
		}
		s.client.Lease = plain
		if _, err := s.Renew(ctx); err != nil {
			t.Errorf("Renew afterwards: %v", err)
		}
	})
}

// moveLeader makes another server the leader.
func moveLeader(t *testing.T, three *etcdtest.Ensemble) {
	ctx := within(t)
	leader := three.Leader(t)
	other := three.Others(leader)[0]
	status, err := other.Client(t).Status(ctx, other.Endpoint)
	if err == nil {
		_, err = leader.Client(t).MoveLeader(ctx, status.Header.MemberId)
	}
	if err != nil {
		t.Error(err)
	}
}

// A leader that is cut off from the others still answers renewals, which count for nothing.
func TestRenewalBeforeALeaderAlone(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		three := v.StartThree(t)
		leader := three.Leader(t)
		s := &store{client: leader.Client(t), prefix: "/granary/test/"}
		if _, err := s.Register(within(t), "one", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, other := range three.Others(leader) {
			other.Pause(t)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if ttl, err := s.Renew(ctx); err == nil {
			t.Errorf("Renew before a leader without a majority: %v; want an error", ttl)
		}
		for _, other := range three.Others(leader) {
			other.Resume(t)
		}
		for ctx := within(t); ; {
			bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
			_, err := s.Renew(bounded)
			cancel()
			if err == nil {
				return
			}
			if ctx.Err() != nil || errors.Is(err, driver.ErrLeaseLost) {
				t.Fatalf("Renew with all servers: %v", err)
			}
		}
	})
}

// Beside a server that hangs every renewal, read and write succeeds, although the client takes that server for well.
func TestCallsBesideAServerThatHangs(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		three := v.StartThree(t)
		s := &store{client: three.Client(t), prefix: "/granary/test/"}
		if _, err := s.Register(within(t), "one", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		for range 6 { // so that there is a connection to each server
			read(t, s)
		}
		three.Others(three.Leader(t))[0].Pause(t)
		for _, id := range []driver.MemberID{"two", "three", "four"} { // each server has its turn
			other := &store{client: s.client, prefix: s.prefix}
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			if _, err := other.Register(ctx, id, nil, time.Minute); err != nil {
				t.Errorf("Register: %v", err)
			}
			cancel()
		}
		record := read(t, s)
		if len(record.Alive) != 4 {
			t.Errorf("%d members are alive; want 4", len(record.Alive))
		}
		for i := range 6 {
			for name, call := range map[string]func(context.Context) error{
				"Renew": func(ctx context.Context) error { _, err := s.Renew(ctx); return err },
				"Read":  func(ctx context.Context) (err error) { record, err = s.Read(ctx); return err },
				"Write": func(ctx context.Context) error {
					if err := s.Write(ctx, record, []byte{byte(i)}); !errors.Is(err, errUncertain) && !errors.Is(err, driver.ErrConflict) {
						return err
					}
					return nil
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				if err := call(ctx); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				cancel()
			}
		}
	})
}

// A server that hangs holds nobody up for long: after a part of the time another is asked.
func TestHedged(t *testing.T) {
	t.Parallel()
	hangs := func(n int64) (*atomic.Int64, func(context.Context) (int64, error)) {
		calls := new(atomic.Int64)
		return calls, func(ctx context.Context) (int64, error) {
			call := calls.Add(1)
			if call <= n {
				<-ctx.Done()
				return call, ctx.Err()
			}
			return call, nil
		}
	}
	for name, c := range map[string]struct {
		endpoints   int
		hanging     int64
		want, calls int64 // the call that succeeds, 0 for none, and how many there are
	}{
		"all are well":         {3, 0, 1, 1},
		"the first hangs":      {3, 1, 2, 2},
		"two hang":             {3, 2, 3, 3},
		"all hang":             {3, 9, 0, 3},
		"nobody else to ask":   {1, 1, 0, 1},
		"no more than needed":  {9, 9, 0, parts},
		"one of two endpoints": {2, 1, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			calls, call := hangs(c.hanging)
			got, err := hedged(ctx, c.endpoints, call)
			if (err == nil) != (c.want > 0) || err == nil && got != c.want || calls.Load() != c.calls {
				t.Errorf("answer of call %d, %v, of %d; want that of %d, of %d", got, err, calls.Load(), c.want, c.calls)
			}
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v; want %v", err, context.DeadlineExceeded)
			}
		})
	}
	t.Run("errors", func(t *testing.T) {
		ctx := within(t)
		if _, err := hedged(ctx, 3, func(context.Context) (int, error) { return 0, errLeaders }); !errors.Is(err, errLeaders) {
			t.Errorf("an error of the only call: %v; want %v at once", err, errLeaders)
		}
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		calls := new(atomic.Int64)
		_, err := hedged(ctx, 3, func(ctx context.Context) (int, error) {
			switch calls.Add(1) {
			case 1:
				<-ctx.Done()
				return 0, ctx.Err()
			case 2:
				return 0, errLeaders
			}
			return 0, driver.ErrLeaseLost
		})
		if !errors.Is(err, driver.ErrLeaseLost) {
			t.Errorf("a call hangs, one fails, and one says that the lease is lost: %v; want this", err)
		}
	})
}
