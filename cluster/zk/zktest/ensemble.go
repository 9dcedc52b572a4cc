package zktest

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// size is how many servers an ensemble has.
const size = 3

// Ensemble is three ZooKeeper servers. It ends with its test. Its methods are called by one goroutine at a time.
type Ensemble struct {
	// Servers are its servers, in the order of their ids.
	Servers []*Server

	links []link
}

// link is the way from one server to another, for when that leads.
type link struct {
	from, to int // indexes of servers
	proxy    *Proxy
}

// StartEnsemble starts three servers and waits until all serve. Further settings are lines of zoo.cfg.
func StartEnsemble(t testing.TB, more ...string) *Ensemble {
	t.Helper()
	var err error
	for range 5 { // somebody else may take a free port before a server does
		e := newEnsemble(t, lines(more))
		if err = e.start(); err == nil {
			return e
		}
		for _, s := range e.Servers {
			s.Stop()
		}
	}
	t.Fatal(err)
	return nil
}

func newEnsemble(t testing.TB, more string) *Ensemble {
	t.Helper()
	e := &Ensemble{}
	var quorum, election []string
	for i := range size {
		s := &Server{Address: freeAddress(t), id: i + 1, folder: t.TempDir()}
		t.Cleanup(s.Stop)
		e.Servers = append(e.Servers, s)
		quorum, election = append(quorum, freeAddress(t)), append(election, freeAddress(t))
	}
	for i, s := range e.Servers {
		s.config = settings + more
		for j := range size {
			at := quorum[j]
			if i != j { // each reaches the others by a proxy
				p := NewProxy(t, quorum[j])
				e.links = append(e.links, link{from: i, to: j, proxy: p})
				at = p.Address
			}
			_, port, _ := net.SplitHostPort(election[j])
			s.config += fmt.Sprintf("server.%d=%s:%s\n", j+1, at, port)
		}
	}
	return e
}

func (e *Ensemble) start() error {
	for _, s := range e.Servers {
		if err := s.start(); err != nil {
			return err
		}
	}
	for _, s := range e.Servers {
		if err := s.await(); err != nil {
			return err
		}
	}
	return nil
}

// Addresses are where clients reach the servers.
func (e *Ensemble) Addresses() []string {
	var all []string
	for _, s := range e.Servers {
		all = append(all, s.Address)
	}
	return all
}

// Leader waits until one server leads, and gives it.
func (e *Ensemble) Leader(t testing.TB) *Server {
	t.Helper()
	return e.find(t, "leader")
}

// Follower waits until there is a follower, and gives one.
func (e *Ensemble) Follower(t testing.TB) *Server {
	t.Helper()
	return e.find(t, "follower")
}

func (e *Ensemble) find(t testing.TB, mode string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for ctx.Err() == nil {
		for _, s := range e.Servers {
			if got, err := s.Mode(ctx); err == nil && got == mode {
				return s
			}
		}
		pause(ctx)
	}
	t.Fatalf("zktest: there is no %s", mode)
	return nil
}

// Cut lets nothing pass between a server and the others, as a network does that drops packets. Clients reach it still.
// The others elect a leader if it led.
func (e *Ensemble) Cut(s *Server) { e.each(s, (*Proxy).Block) }

// Heal lets a server reach the others again.
func (e *Ensemble) Heal(s *Server) { e.each(s, (*Proxy).Unblock) }

func (e *Ensemble) each(s *Server, do func(*Proxy)) {
	for _, l := range e.links {
		if l.from == s.id-1 || l.to == s.id-1 {
			do(l.proxy)
		}
	}
}
