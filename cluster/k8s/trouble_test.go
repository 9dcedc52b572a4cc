package k8s

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/k8s/k8stest"
)

// proxied gives a proxy before the server, and a configuration that goes through it.
func proxied(t *testing.T, server *k8stest.Server) (*drivertest.Proxy, *rest.Config) {
	t.Helper()
	proxy := drivertest.NewProxy(t, strings.TrimPrefix(server.Host, "https://"))
	config := server.Config()
	config.Host = "https://" + proxy.Address()
	return proxy, config
}

// Renewals are no change of who is alive: Wait notes them, and goes on.
func TestRenewalsDoNotEndWait(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const ttl = 6 * time.Second
	member, reader := b.store(), b.store(patient)
	b.register(member, "A", ttl)
	since := b.alive(reader, "at first", "A")
	wait := later(func() error { return reader.Wait(within(t), since) })
	last := time.Now()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for range 8 {
		<-tick.C
		last = time.Now()
		b.renew(member)
	}
	if err := wait(); err != nil || time.Since(last) < ttl {
		t.Errorf("Wait: %v, %v after the last renewal; want nil when the lease time has passed", err, time.Since(last))
	}
	b.alive(reader, "after the wait") // it has been silent for its lease time by now
	b.lost(member, "of who was silent")
}

// Versions that are forgotten, by a compaction and a server that starts anew, are told at once and not after the wait.
func TestWaitOverForgottenVersions(t *testing.T) {
	t.Parallel()
	b := benchOn(t, k8stest.Start(t))
	s := b.store(patient)
	before := b.read(s)
	member := b.joined("A", "p")
	for range 3 {
		b.renew(member)
	}
	b.Stop()
	b.Compact(t)
	b.Start(t)
	ctx := within(t)
	err := s.Wait(ctx, before)
	for ctx.Err() == nil && (errors.Is(err, errWatchEnded) || unreachable(err)) { // the old connection
		err = s.Wait(ctx, before)
	}
	if err != nil {
		t.Errorf("Wait from versions that are forgotten: %v; want nil at once", err)
	}
	since := b.alive(s, "after that", "A")
	b.renew(member)
	// The pods, too, are read again, though nothing tells that there is something new.
	b.kubelet("p", ends[2].status)
	for ; len(since.Alive) > 0; since = b.read(s) {
		bounded, cancel := context.WithTimeout(ctx, longestWait)
		_ = s.Wait(bounded, since)
		if cancel(); ctx.Err() != nil {
			t.Fatal("what the kubelet has reported since is not noticed")
		}
	}
}

// A connection that breaks ends Wait with an error, so that it is read again; calls go on by a new one.
func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	proxy, config := proxied(t, b.Server)
	b.config = config
	s, ctx := b.store(patient), within(t)
	b.register(s, "A", 10*time.Minute)
	since := b.read(s)
	wait := later(func() error { return s.Wait(ctx, since) })
	ended := make(chan struct{})
	go func() { defer close(ended); _ = wait() }()
	for broken := false; !broken; { // it may not wait yet
		proxy.Break()
		select {
		case <-ended:
			broken = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := wait(); err == nil || ctx.Err() != nil {
		t.Errorf("Wait over a connection that breaks: %v; want an error at once", err)
	}
	b.alive(s, "over a new connection", "A")
	b.renew(s)

	heal := proxy.Cut()
	if _, err := s.Read(within(t)); err == nil || !strings.Contains(err.Error(), "no answer from "+b.config.Host) {
		t.Errorf("Read without a connection: %v; want an error that names the server", err)
	}
	heal()
	b.alive(s, "when the way is there again", "A")
}

// A connection on which nothing comes any more is given up before a lease of the usual time has ended: calls share it.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	proxy, config := proxied(t, b.Server)
	b.config = config
	s := b.store()
	b.register(s, "A", 10*time.Minute)
	b.renew(s)
	heal := proxy.Stall()
	begun := time.Now()
	wait := later(func() error {
		_, err := s.Renew(within(t))
		return err
	})
	if err := wait(); err == nil {
		t.Error("a renewal over a silent connection succeeded")
	}
	if passed := time.Since(begun); passed > 30*time.Second { // the call itself has longer
		t.Errorf("the silent connection was given up after %v; want %v", passed, pingAfter+pingTimeout)
	}
	heal()
	if _, err := s.Renew(within(t)); err != nil && !errors.Is(err, errChanged) { // the first may have been carried late
		t.Error(err)
	}
}

// Contexts that are done end Wait with their error, also while watches are opened.
func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.store()
	since := b.read(s)
	ctx, cancel := context.WithCancel(within(t))
	wait := later(func() error { return s.Wait(ctx, since) })
	cancel()
	if err := wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v; want %v", err, context.Canceled)
	}
	if err := s.Wait(within(t), driver.Record{}); err != nil {
		t.Errorf("Wait since nothing: %v; want nil at once", err)
	}
}
