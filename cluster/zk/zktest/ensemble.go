package zktest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/granary-go/granary/internal/servertest"
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
	return start(t, false, more)
}

// StartCuttable is StartEnsemble for servers that reach each other by proxies, for [Ensemble.Cut].
//
// An election takes longer with them. A proxy accepts connections also before a new leader listens; its follower, which
// would have tried again had it been refused, then gives up, and there is no leader until that has waited for a follower
// for initLimit, four seconds, and they elect anew.
func StartCuttable(t testing.TB, more ...string) *Ensemble {
	t.Helper()
	return start(t, true, more)
}

func start(t testing.TB, cuttable bool, more []string) *Ensemble {
	t.Helper()
	e := &Ensemble{}
	var quorum []string
	var election []int
	var all []*servertest.Process
	for i := range size {
		e.Servers = append(e.Servers, newServer(t, i+1))
		all = append(all, e.Servers[i].Process)
		quorum, election = append(quorum, servertest.Address(t)), append(election, servertest.Port(t))
	}
	for i, s := range e.Servers {
		s.config = settings + lines(more)
		for j := range size {
			at := quorum[j]
			if cuttable && i != j {
				p := NewProxy(t, quorum[j])
				e.links = append(e.links, link{from: i, to: j, proxy: p})
				at = p.Address
			}
			s.config += fmt.Sprintf("server.%d=%s:%d\n", j+1, at, election[j])
		}
	}
	if err := servertest.Start(all...); err != nil {
		t.Fatal(err)
	}
	return e
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

func (e *Ensemble) find(t testing.TB, mode string) (found *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	err := servertest.Poll(ctx, func(ctx context.Context) (err error) {
		var got string
		for _, found = range e.Servers {
			if got, err = found.Mode(ctx); err == nil && got == mode {
				return nil
			}
		}
		return errors.Join(errors.New("there is none"), err)
	})
	if err != nil {
		t.Fatalf("zktest: waiting for a %s: %v", mode, err)
	}
	return found
}

// Cut lets nothing pass between a server and the others, as a network does that drops packets. Clients reach it still.
// The others elect a leader if it led. The ensemble must be cuttable.
func (e *Ensemble) Cut(s *Server) { e.each(s, (*Proxy).Block) }

// Heal lets a server reach the others again.
func (e *Ensemble) Heal(s *Server) { e.each(s, (*Proxy).Unblock) }

func (e *Ensemble) each(s *Server, do func(*Proxy)) {
	if len(e.links) == 0 {
		panic("zktest: an ensemble whose servers are cut off is started with StartCuttable")
	}
	for _, l := range e.links {
		if l.from == s.id-1 || l.to == s.id-1 {
			do(l.proxy)
		}
	}
}
