package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
	"github.com/granary-go/granary/test/process"
)

const (
	clients = 2
	// limit bounds each wait for a process: also for a transfer or a grain that waits for its own bound.
	limit = patience + 60*time.Second
)

// A station is a place for a process in the network: a member's, whose process may be another after a fault, or a client's.
type station struct {
	crew   *crew
	name   string
	number int
	client bool
	host   *network.Host
	pod    pod
	rate   float64

	mu      sync.Mutex // held while something is done to the process, or its place is empty
	process *process.Process
	in      io.WriteCloser
	started atomic.Int32 // processes so far; read by faults of the network, too
}

// crew are the processes of a run, the network between them, and the services.
type crew struct {
	t       *testing.T
	setting setting
	plan    plan
	folder  string
	program string // of members and clients
	notes   *notes
	net     *network.Network

	members, clients []*station
	hosts            []string // of members
	services         []*server
	cold             int
	began            time.Time
}

// server is a service and its host.
type server struct {
	*service
	host *network.Host
	mu   sync.Mutex // held while it is away
}

// newCrew starts everything.
func newCrew(t *testing.T, s setting, p plan, folder, program string, cold int) *crew {
	t.Helper()
	n, err := network.New(network.WithSeed(p.Seed))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	said, err := newNotes(filepath.Join(folder, "log.txt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = said.close() }) // when all processes have ended
	c := &crew{t: t, setting: s, plan: p, folder: folder, program: program, notes: said, net: n, cold: cold, began: time.Now()}
	for i := range p.Members {
		m := c.station(memberName(i), i)
		m.rate = p.Rates[i]
		c.members, c.hosts = append(c.members, m), append(c.hosts, m.host.Address())
	}
	for i := range clients {
		c.clients = append(c.clients, c.station(fmt.Sprint("client-", i), i))
	}
	for _, what := range []string{s.backend, s.lookup} {
		c.serve(what)
	}
	for _, v := range c.services {
		if v.place == nil {
			continue
		}
		for _, m := range slices.Concat(c.members, c.clients) {
			m.pod = v.place(!m.client)
		}
	}
	c.all(c.members, func(m *station) error { return m.start(0) })
	c.all(c.clients, func(m *station) error { return m.start(0) })
	return c
}

func (c *crew) station(name string, i int) *station {
	return &station{crew: c, name: name, number: i, client: strings.HasPrefix(name, "client"), host: c.host(name)}
}

func (c *crew) host(name string) *network.Host {
	h, err := c.net.Host(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// serve starts a service, if there is one of that name, and gives it a host.
func (c *crew) serve(what string) {
	s := startService(c.t, what)
	if s == nil {
		return
	}
	h := c.host(what)
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		c.t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err == nil {
		err = h.Serve(n, s.address)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.services = append(c.services, &server{service: s, host: h})
}

// at is where processes reach a service.
func (s *server) at() string {
	_, port, _ := net.SplitHostPort(s.address)
	return net.JoinHostPort(s.host.Address(), port)
}

// all does something to several stations at once. It must not fail.
func (c *crew) all(stations []*station, f func(*station) error) {
	c.t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(stations))
	for i, s := range stations {
		wg.Go(func() { errs[i] = f(s) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		c.t.Fatal(err)
	}
}

// role is what the next process of a station is told.
func (s *station) role() role {
	c := s.crew
	r := role{
		Name: fmt.Sprintf("%s.%d", s.name, s.started.Load()+1), Folder: c.folder, Host: s.host.Address(), Hosts: c.hosts, Backend: c.setting.backend,
		Lease: c.setting.lease, Pod: s.pod, Rate: s.rate, Client: s.client, Number: s.number, Seed: c.plan.Seed, Began: c.began, Cold: c.cold,
	}
	for _, v := range c.services {
		if v.host.Name() == c.setting.lookup {
			r.Lookup = &where{c.setting.lookup, v.at()}
		} else {
			r.Service = v.at()
		}
	}
	return r
}

// processName is that of the last process that was started.
func (s *station) processName() string { return fmt.Sprintf("%s.%d", s.name, s.started.Load()) }

// start starts the station's next process and waits until it takes part.
func (s *station) start(offset time.Duration) error {
	text, err := json.Marshal(s.role())
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), s.crew.program)
	cmd.Env = append(s.host.Environ(), roleVariable+"="+string(text), "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0", "GOMAXPROCS=2")
	if offset != 0 {
		if err := network.InTime(cmd, offset); err != nil {
			return err
		}
	}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	s.started.Add(1)
	name := s.processName()
	hear := func(l process.Line) { s.crew.notes.add(name, l.Text) }
	if s.process, err = process.StartBy(name, cmd, func() error { return s.host.Start(cmd) }, hear); err != nil {
		return err
	}
	s.crew.t.Cleanup(s.process.Kill)
	_, err = s.process.Next(context.Background(), limit, "word that it takes part", func(l string) bool { return l == upWord })
	return err
}

// tell tells the process something, and waits until it is done.
func (s *station) tell(word string) error {
	if _, err := io.WriteString(s.in, word+"\n"); err != nil {
		return fmt.Errorf("%s was told to %s: %w", s.name, word, err)
	}
	_, err := s.process.Next(context.Background(), limit, "word that it has done: "+word, func(l string) bool { return l == doneWord+word })
	return err
}

// leave has the process end gracefully.
func (s *station) leave() error { return s.process.Terminate(limit) }

// each tells the same to several.
func (c *crew) each(stations []*station, word string) {
	c.t.Helper()
	c.all(stations, func(s *station) error { return s.tell(word) })
}
