package tables

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
	"github.com/granary-go/granary/test/process"
)

// limit bounds every wait for one thing.
const limit = 3 * time.Minute

// crew is the members of one cluster, each a process, and what they are on.
type crew struct {
	t       *testing.T
	backend backend
	service service
	notes   *fleet.Notes
	hosts   []string

	mu      sync.Mutex // guards members and made
	members []*member
	made    int
}

type member struct {
	*process.Process
	port *net.TCPAddr
}

// newCrew starts n members at once.
func newCrew(t *testing.T, b backend, s service, n int) *crew {
	c := &crew{t: t, backend: b, service: s, notes: fleet.NewNotes(t)}
	ports := make([]*net.TCPListener, n)
	for i := range ports {
		ports[i] = fleet.Listen(t)
		c.hosts = append(c.hosts, ports[i].Addr().String())
	}
	var roles []role
	for range ports {
		roles = append(roles, c.role(true))
	}
	var wg sync.WaitGroup
	for i, port := range ports {
		wg.Go(func() { c.start(roles[i], port) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return c
}

func (c *crew) role(isMember bool) role {
	r := role{Backend: c.backend.name, Address: c.service.address, Lease: c.backend.lease, Hosts: c.hosts}
	if c.service.place != nil {
		r.Pod = c.service.place(isMember)
	}
	return r
}

// add starts a member that answers pings where one that is gone did.
func (c *crew) add(gone *member) {
	c.t.Helper()
	port, err := net.ListenTCP("tcp", gone.port)
	if err != nil {
		c.t.Fatal(err)
	}
	c.start(c.role(true), port)
	if c.t.Failed() {
		c.t.FailNow()
	}
}

func (c *crew) start(r role, port *net.TCPListener) {
	m := &member{port: port.Addr().(*net.TCPAddr)}
	file, err := port.File()
	_ = port.Close() // the file is a copy
	if err != nil {
		c.t.Error(err)
		return
	}
	defer file.Close()
	r.PingPort = m.port.Port
	c.mu.Lock()
	c.made++
	name := fmt.Sprint("member ", c.made)
	c.mu.Unlock()
	m.Process, err = fleet.Start(c.t, c.notes, name, roleVariable, r, file)
	if err == nil {
		_, err = m.Next(c.t.Context(), limit, "word that it is a member", func(s string) bool { return strings.HasPrefix(s, memberWord) })
	}
	if err != nil {
		c.t.Error(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
}

// oldest takes the member out of the crew that has been in it for the longest.
func (c *crew) oldest() *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[0]
	c.members = c.members[1:]
	return m
}

// leave has a member leave gracefully, and returns when its process has ended.
func (c *crew) leave(m *member) {
	c.t.Helper()
	if err := m.Terminate(limit); err != nil {
		c.t.Fatal(err)
	}
}

// end has all members leave at once.
func (c *crew) end() {
	var wg sync.WaitGroup
	for _, m := range c.members {
		wg.Go(func() {
			if err := m.Terminate(limit); err != nil {
				c.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// load starts a client in this process that calls grains. What it has started ends with the test.
func (c *crew) load(names []fleet.Name, pace time.Duration) *fleet.Load {
	c.t.Helper()
	provider, err := provide(c.role(false))
	if err != nil {
		c.t.Fatal(err)
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(c.notes.Writer("client"), nil))))
	client := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0)))
	if err := client.StartClientContext(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	l := fleet.BeginLoad(c.t.Context(), "client", pace, names, func(n fleet.Name) (fleet.Activation, error) {
		kind, identity := n.Split()
		reply, err := client.Call(identity, kind, wrapperspb.Int64(1))
		if err != nil {
			return fleet.Activation{}, err
		}
		text, ok := reply.(*wrapperspb.StringValue)
		if !ok {
			return fleet.Activation{}, fmt.Errorf("the reply is a %T", reply)
		}
		return fleet.ParseActivation(text.Value)
	})
	c.t.Cleanup(func() {
		l.Stop()
		if err := client.Shutdown(true); err != nil {
			c.t.Error(err)
		}
	})
	return l
}
