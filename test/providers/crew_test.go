package providers

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
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
	state   string // of strict counters
	lookup  *where // nil is the members
	grains  int    // that the scenario calls

	mu      sync.Mutex // guards members and made
	members []*member
	made    int
}

type member struct {
	*process.Process
	port *net.TCPAddr
}

// newCrew starts n members at once.
func newCrew(t *testing.T, b backend, s service, n int, opts ...func(*crew)) *crew {
	c := &crew{t: t, backend: b, service: s, notes: fleet.NewNotes(t), grains: grains}
	for _, opt := range opts {
		opt(c)
	}
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
	r := role{Backend: c.backend.name, Address: c.service.address, Lease: c.backend.lease, Hosts: c.hosts, State: c.state, Lookup: c.lookup}
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
		err = m.joins(c.t)
	}
	if err != nil {
		c.t.Error(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
}

// joins waits until the process has joined under an id that it did not have before.
func (m *member) joins(t *testing.T) error {
	_, err := m.Next(t.Context(), limit, "word that it is a member", func(s string) bool { return strings.HasPrefix(s, memberWord) })
	return err
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

// client starts a client in this process.
func (c *crew) client() *cluster.Cluster {
	c.t.Helper()
	provider, err := provide(c.role(false))
	if err != nil {
		c.t.Fatal(err)
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(c.notes.Writer("client"), nil))))
	client := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0), c.lookup.option()))
	if err := client.StartClientContext(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := client.Shutdown(true); err != nil {
			c.t.Error(err)
		}
	})
	return client
}

// load has a client call grains until the test ends. See, which may be nil, sees each answer.
func (c *crew) load(client *cluster.Cluster, names []fleet.Name, see func(n fleet.Name, a fleet.Activation, count int)) *fleet.Load {
	l := fleet.BeginLoad(c.t.Context(), "client", pace, names, func(n fleet.Name) (fleet.Activation, error) {
		a, count, err := call(client, n)
		if err == nil && see != nil {
			see(n, a, count)
		}
		return a, err
	})
	c.t.Cleanup(l.Stop)
	return l
}

// call calls a counter once.
func call(client *cluster.Cluster, n fleet.Name) (a fleet.Activation, count int, err error) {
	kind, identity := n.Split()
	reply, err := client.Call(identity, kind, wrapperspb.Int64(1))
	if err != nil {
		return a, 0, err
	}
	text, ok := reply.(*wrapperspb.StringValue)
	if !ok {
		return a, 0, fmt.Errorf("the reply is a %T", reply)
	}
	id, sum, _ := strings.Cut(text.Value, " ")
	if count, err = strconv.Atoi(sum); err != nil {
		return a, 0, err
	}
	a, err = fleet.ParseActivation(id)
	return a, count, err
}
