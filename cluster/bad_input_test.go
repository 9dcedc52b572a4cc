package cluster_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

func TestConfigurationThatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	provider, address := w.registry.Provider(), remote.Configure("127.0.0.1", 0)
	props := actor.PropsFromFunc(func(actor.Context) {})
	for _, c := range []struct {
		what   string
		config *cluster.Config
		want   string
	}{
		{"empty name", cluster.Configure("", provider, address), "name is empty"},
		{"no provider", cluster.Configure("x", nil, address), "automanaged.New()"},
		{"no remote", cluster.Configure("x", provider, nil), "remote.Configure"},
		{"kind without a name", cluster.Configure("x", provider, address, cluster.NewKind("", props)), "kind is empty"},
		{"kind with a slash", cluster.Configure("x", provider, address, cluster.NewKind("a/b", props)), "slash"},
		{"kind with invalid props", cluster.Configure("x", provider, address, cluster.NewKind("k",
			actor.PropsFromFunc(func(actor.Context) {}, actor.WithMailbox(actor.Bounded(0, actor.OverflowReject))))), "capacity"},
		{"kind without props", cluster.Configure("x", provider, address, cluster.NewKind("k", nil)), "no props"},
		{
			"kind twice", cluster.Configure("x", provider, address, cluster.NewKind("k", props), cluster.NewKind("k", props)),
			"registered twice",
		},
		{"time-out", cluster.Configure("x", provider, address, cluster.WithRequestTimeout(-1)), "must be positive"},
		{"nil configuration", nil, "name is empty"},
		{"bad host", cluster.Configure("x", provider, remote.Configure("no such host!", 0)), "remote"},
	} {
		t.Run(c.what, func(t *testing.T) {
			err := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())), c.config).Start()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Start: %v; want an error that says %q", err, c.want)
			}
		})
	}
	if err := cluster.New(nil, cluster.Configure("x", provider, address)).Start(); err == nil {
		t.Error("a cluster without an actor system started")
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	w := newWorld(t)
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", port), w.kind()))
	if err := c.Start(); !errors.Is(err, remote.ErrPortInUse) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("Start: %v; want ErrPortInUse with the port", err)
	}
	if n := len(w.registry.View().Members); n != 0 {
		t.Errorf("%d members in the view after a failed start", n)
	}
}

func portOf(t *testing.T, c *cluster.Cluster) int {
	t.Helper()
	_, port, err := net.SplitHostPort(c.ActorSystem().Address())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTwoMembersWithOneAddress(t *testing.T) {
	w := newWorld(t)
	first := w.member()
	port := strconv.Itoa(portOf(t, first))
	second := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", w.registry.Provider(),
			remote.Configure("127.0.0.1", 0, remote.WithAdvertisedHost("127.0.0.1:"+port)), w.kind()))
	if err := second.Start(); err == nil {
		t.Error("a second member with the address of the first started")
	}
}

func TestLifecycleMisused(t *testing.T) {
	w := newWorld(t)
	c := w.make(w.kind())
	if err := c.Shutdown(true); !errors.Is(err, cluster.ErrNotStarted) {
		t.Errorf("Shutdown before Start: %v", err)
	}
	if _, err := tryAdd(c, "x", 1); !errors.Is(err, cluster.ErrNotStarted) {
		t.Errorf("call before Start: %v", err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); !errors.Is(err, cluster.ErrStarted) {
		t.Errorf("second Start: %v", err)
	}
	if err := c.StartClient(); !errors.Is(err, cluster.ErrStarted) {
		t.Errorf("StartClient after Start: %v", err)
	}
	for range 2 {
		if err := c.Shutdown(true); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if _, err := tryAdd(c, "x", 1); !errors.Is(err, cluster.ErrShutdown) {
		t.Errorf("call after Shutdown: %v", err)
	}
	if pid := c.Get("x", counterKind); pid != nil {
		t.Errorf("Get after Shutdown: %v", pid)
	}
	if err := c.Start(); !errors.Is(err, cluster.ErrStarted) {
		t.Errorf("Start after Shutdown: %v", err)
	}
}

func TestClientShutsDown(t *testing.T) {
	w := newWorld(t)
	w.member()
	for _, graceful := range []bool{true, false} {
		c := w.make()
		if err := c.StartClient(); err != nil {
			t.Fatal(err)
		}
		add(t, c, "x", 1)
		if err := errors.Join(c.Shutdown(graceful), c.Shutdown(graceful)); err != nil {
			t.Error(err)
		}
	}
}

func TestIdentities(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	for _, id := range []string{
		"a/b", "a b", " ", "ünï©ødé ☃", "@", "a@b:1.2", "$1", "..", "\x00\n", strings.Repeat("x", cluster.MaxIdentityLength),
	} {
		if got := add(t, c, id, 1); got != 1 {
			t.Errorf("%q = %d: it is not a grain of its own", id, got)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 10<<10), "\xff"} {
		if _, err := tryAdd(c, id, 1); !errors.Is(err, cluster.ErrInvalidIdentity) {
			t.Errorf("identity of %d bytes: %v", len(id), err)
		}
	}
	if _, err := c.GetContext(t.Context(), "x", ""); !errors.Is(err, cluster.ErrInvalidIdentity) {
		t.Errorf("empty kind: %v", err)
	}
}

func TestMessagesThatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	w.member()
	client := w.client()
	add(t, client, "x", 1)
	var none *wrapperspb.Int64Value
	for what, message := range map[string]any{
		"nil": nil, "nil pointer": none, "no protobuf": struct{}{},
		"too large": wrapperspb.Bytes(make([]byte, remote.DefaultMaxMessageSize+1)),
	} {
		began := time.Now()
		_, err := client.Call("x", counterKind, message)
		if !errors.Is(err, cluster.ErrInvalidMessage) {
			t.Errorf("%s: %v", what, err)
		}
		if took := time.Since(began); took > cluster.DefaultRequestTimeout/2 {
			t.Errorf("%s: the error took %v", what, took)
		}
	}
	add(t, client, "x", 1)
}

func TestUnknownKindSaysWhatThereIs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		c := b.process(b.kind())
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := c.CallContext(ctx, "x", "Nothing", wrapperspb.Int64(1))
		if !errors.Is(err, cluster.ErrNoMemberForKind) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want ErrNoMemberForKind", err)
		}
		for _, want := range []string{"Nothing", counterKind, c.ActorSystem().Address()} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	})
}

func TestKindThatComesLater(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	w.member(cluster.NewKind("Other", actor.PropsFromFunc(func(actor.Context) {})))
	done := make(chan error, 1)
	go func() {
		_, err := tryAdd(client, "x", 1)
		done <- err
	}()
	w.member()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestClientBeforeAnyMember(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.CallContext(ctx, "x", counterKind, wrapperspb.Int64(1)); !errors.Is(err, cluster.ErrNoView) {
		t.Errorf("%v; want ErrNoView", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := tryAdd(client, "x", 1)
		done <- err
	}()
	w.member()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCancelledCall(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.CallContext(ctx, "x", counterKind, wrapperspb.Int64(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want context.Canceled", err)
	}
}
