package etcdtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/granary-go/granary/internal/servertest"
)

// Ensemble is one etcd of several servers. It ends with its test.
type Ensemble struct {
	Servers []*Server
}

// startAll starts servers that are one etcd.
func (v Version) startAll(t testing.TB, n int, clients *tls.Config, flags []string) *Ensemble {
	t.Helper()
	program := v.need(t)
	e := &Ensemble{}
	var peers []string
	for i := range n {
		s := &Server{
			Version: v, name: fmt.Sprintf("node%d", i), program: program, folder: t.TempDir(), clients: clients, flags: flags,
			Endpoint: "http://" + servertest.Address(t), peer: "http://" + servertest.Address(t),
		}
		if clients != nil {
			s.Endpoint = strings.Replace(s.Endpoint, "http:", "https:", 1)
		}
		s.Process = servertest.New("etcd at "+s.Endpoint, s.command, s.serves)
		e.Servers = append(e.Servers, s)
		peers = append(peers, s.name+"="+s.peer)
	}
	var all []*servertest.Process
	for _, s := range e.Servers {
		s.cluster = strings.Join(peers, ",")
		all = append(all, s.Process)
	}
	t.Cleanup(e.Stop)
	if err := servertest.Start(all...); err != nil {
		t.Fatal(err)
	}
	return e
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
func (e *Ensemble) Leader(t testing.TB) (leader *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	err := servertest.Poll(ctx, func(ctx context.Context) error {
		for _, s := range e.Servers {
			if s.leads(ctx) {
				leader = s
				return nil
			}
		}
		return errors.New("the servers have no leader")
	})
	if err != nil {
		t.Fatal("etcdtest: ", err)
	}
	return leader
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
	if !s.Running() {
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

// clientConfig is a configuration without logs.
func clientConfig(endpoint string, clients *tls.Config) clientv3.Config {
	return clientv3.Config{Endpoints: []string{endpoint}, TLS: clients, Logger: zap.NewNop()}
}
