package etcdtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Ensemble is one etcd of several servers. It ends with its test.
type Ensemble struct {
	Servers []*Server
}

// startAll starts servers that are one etcd. A free port that somebody else takes before the server does makes it start
// all of them again.
func (v Version) startAll(t testing.TB, n int, clients *tls.Config, flags []string) *Ensemble {
	t.Helper()
	program := v.need(t)
	var err error
	for range 5 {
		e := &Ensemble{}
		var peers []string
		for i := range n {
			s := &Server{
				Version: v, name: fmt.Sprintf("node%d", i), program: program, folder: t.TempDir(), clients: clients, flags: flags,
				Endpoint: "http://" + freeAddress(t), peer: "http://" + freeAddress(t),
			}
			if clients != nil {
				s.Endpoint = strings.Replace(s.Endpoint, "http:", "https:", 1)
			}
			e.Servers = append(e.Servers, s)
			peers = append(peers, s.name+"="+s.peer)
		}
		for _, s := range e.Servers {
			s.cluster = strings.Join(peers, ",")
		}
		if err = e.start(); err == nil {
			t.Cleanup(e.Stop)
			return e
		}
		e.Stop()
	}
	t.Fatal(err)
	return nil
}

// start starts all servers at once: the first does not serve before the second is there.
func (e *Ensemble) start() error {
	errs := make([]error, len(e.Servers))
	var wg sync.WaitGroup
	for i, s := range e.Servers {
		wg.Go(func() { errs[i] = s.start() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Stop kills all servers.
func (e *Ensemble) Stop() {
	for _, s := range e.Servers {
		s.Stop()
	}
}

// Config is a configuration for a client of all servers, without logs.
func (e *Ensemble) Config() clientv3.Config {
	c := e.Servers[0].Config()
	c.Endpoints = nil
	for _, s := range e.Servers {
		c.Endpoints = append(c.Endpoints, s.Endpoint)
	}
	return c
}

// Client connects to all servers. The client is closed when the test ends.
func (e *Ensemble) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	return newClient(t, e.Config())
}

// Leader waits until the servers that run have a leader among them, and gives that.
func (e *Ensemble) Leader(t testing.TB) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for ctx.Err() == nil {
		for _, s := range e.Servers {
			if s.leads(ctx) {
				return s
			}
		}
	}
	t.Fatal("etcdtest: the servers have no leader")
	return nil
}

// Others gives the servers but for one.
func (e *Ensemble) Others(not *Server) []*Server {
	var others []*Server
	for _, s := range e.Servers {
		if s != not {
			others = append(others, s)
		}
	}
	return others
}

// leads reports whether the server is the leader, as a majority confirms.
func (s *Server) leads(ctx context.Context) bool {
	if s.cmd == nil || s.paused {
		return false
	}
	client, err := clientv3.New(s.Config())
	if err != nil {
		return false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := client.Get(ctx, "leader"); err != nil { // a linearisable read
		return false
	}
	status, err := client.Status(ctx, s.Endpoint)
	return err == nil && status.Leader == status.Header.MemberId
}

func newClient(t testing.TB, c clientv3.Config) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // it only tells that its context ended
	return client
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// clientConfig is a configuration without logs.
func clientConfig(endpoint string, clients *tls.Config) clientv3.Config {
	return clientv3.Config{Endpoints: []string{endpoint}, TLS: clients, Logger: zap.NewNop()}
}
