package golden_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// start gives a cluster of one member, this process, which hosts the kinds.
func start(t *testing.T, kinds ...*cluster.Kind) *cluster.Cluster {
	t.Helper()
	var opts []cluster.Option
	for _, kind := range kinds {
		opts = append(opts, kind)
	}
	config := cluster.Configure("golden", single{}, remote.Configure("127.0.0.1", 0), opts...)
	c := cluster.New(actor.NewActorSystem(), config)
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Shutdown(true); err != nil {
			t.Error(err)
		}
	})
	return c
}

// grain is what all grains here have in common.
type grain struct{ cluster.Grain }

func (*grain) Terminate()                   {}
func (*grain) ReceiveDefault(actor.Context) {}

// answers is one call of a client and what it should give.
func answers[M proto.Message](t *testing.T, got M, err error, want M) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %v, want %v", err, want)
	} else if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// single is a provider for a cluster that never has another member.
type single struct{}

func (single) Join(_ context.Context, r driver.Request) (driver.Session, error) {
	return &session{
		view:    driver.View{Incarnation: "single", Epoch: 1, Members: []driver.Member{r.Member}},
		changed: make(chan driver.View, 1),
		closed:  make(chan struct{}),
	}, nil
}

func (single) Leases() bool { return false }

func (single) Observe(ctx context.Context, r driver.Request) (driver.Session, error) {
	return single{}.Join(ctx, r)
}

type session struct {
	view    driver.View // the one that was joined with
	changed chan driver.View
	closed  chan struct{}
}

func (s *session) Watch(ctx context.Context, after uint64) (driver.View, error) {
	if after < s.view.Epoch {
		return s.view, nil
	}
	select {
	case view := <-s.changed:
		return view, nil
	case <-s.closed:
		return driver.View{}, driver.ErrClosed
	case <-ctx.Done():
		return driver.View{}, ctx.Err()
	}
}

func (s *session) Drain(context.Context) error {
	leaving := s.view.Members[0]
	leaving.State = driver.Leaving
	s.changed <- driver.View{Incarnation: "single", Epoch: 2, Previous: 1, Members: []driver.Member{leaving}}
	return nil
}

func (s *session) Lease() driver.Lease         { return nil }
func (s *session) Refresh(uint64)              {}
func (s *session) Leave(context.Context) error { return nil }

func (s *session) Close() error {
	close(s.closed)
	return nil
}
