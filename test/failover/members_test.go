package failover

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
	"github.com/granary-go/granary/test/process"
)

// limit bounds every wait for one thing.
const limit = 20 * time.Second

// members are the member processes of a cluster.
type members struct {
	t     *testing.T
	hosts []string // where the first members answer pings
	diary string   // the path of the members' diary
	notes *fleet.Notes

	mu      sync.Mutex // guards running
	running map[driver.MemberID]*process.Process
}

// newMembers starts the first members, all at once.
func newMembers(t *testing.T, n int) *members {
	f := &members{t: t, diary: t.TempDir() + "/diary", notes: fleet.NewNotes(t), running: make(map[driver.MemberID]*process.Process)}
	ports := make([]*net.TCPListener, n)
	for i := range ports {
		ports[i] = fleet.Listen(t)
		f.hosts = append(f.hosts, ports[i].Addr().String())
	}
	var wg sync.WaitGroup
	for i, port := range ports {
		wg.Go(func() { f.start(fmt.Sprint("member ", i+1), port) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return f
}

// add starts one more member, and returns when it says that it is one.
func (f *members) add(name string) driver.MemberID { return f.start(name, fleet.Listen(f.t)) }

// start starts a member process that answers pings at a port, which it takes over.
func (f *members) start(name string, port *net.TCPListener) (id driver.MemberID) {
	p, err := f.spawn(name, port)
	if err != nil {
		f.t.Error(err)
		return ""
	}
	l, err := p.Next(f.t.Context(), limit, "word that it is a member", func(s string) bool { return strings.HasPrefix(s, readyWord) })
	if err != nil {
		f.t.Error(err)
		return ""
	}
	id = driver.MemberID(strings.TrimPrefix(l.Text, readyWord))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[id] = p
	return id
}

func (f *members) spawn(name string, port *net.TCPListener) (*process.Process, error) {
	defer port.Close()
	file, err := port.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	role := role{PingPort: port.Addr().(*net.TCPAddr).Port, Hosts: f.hosts, Diary: f.diary}
	return fleet.Start(f.t, f.notes, name, memberVariable, role, file)
}

// member gives the process of a member.
func (f *members) member(id driver.MemberID) *process.Process {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.running[id]
	if p == nil {
		f.t.Fatalf("%s is no member that was started: a member has joined again", id)
	}
	return p
}

// leave has a member leave gracefully, and returns when its process has ended.
func (f *members) leave(id driver.MemberID) {
	f.t.Helper()
	f.notes.Add("test", "leaves: "+string(id))
	if err := f.member(id).Interrupt(limit); err != nil {
		f.t.Error(err)
	}
	f.forget(id)
}

// kill kills a member and returns when that was, and its process has ended.
func (f *members) kill(id driver.MemberID) time.Time {
	f.t.Helper()
	p := f.member(id)
	d, err := fleet.OpenDiary(f.diary)
	if err != nil {
		f.t.Fatal(err)
	}
	defer d.Close()
	f.notes.Add("test", "is killed: "+string(id))
	at := time.Now()
	d.Write(killing, string(id))
	p.Kill()
	f.forget(id)
	return at
}

func (f *members) forget(id driver.MemberID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, id)
}

// leaveAll has the members that are left leave, all at once.
func (f *members) leaveAll() {
	f.t.Helper()
	var wg sync.WaitGroup
	for _, id := range slices.Collect(maps.Keys(f.running)) {
		wg.Go(func() { f.leave(id) })
	}
	wg.Wait()
}

// client starts a client of the cluster in this process.
func (f *members) client(name string, opts ...cluster.Option) *cluster.Cluster {
	f.t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(f.notes.Writer(name), nil))))
	provider := automanaged.NewWithConfig(refresh, 0, f.hosts...)
	c := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0), opts...))
	if err := c.StartClientContext(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := c.Shutdown(true); err != nil {
			f.t.Error(err)
		}
	})
	return c
}
