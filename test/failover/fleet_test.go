package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
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
	"github.com/granary-go/granary/test/process"
)

// limit bounds every wait for one thing.
const limit = 20 * time.Second

// fleet is the member processes of a cluster.
type fleet struct {
	t     *testing.T
	hosts []string // where the first members answer pings
	diary string   // the path of the members' diary
	notes *notes

	mu      sync.Mutex // guards members
	members map[driver.MemberID]*process.Process
}

// newFleet starts the first members, all at once.
func newFleet(t *testing.T, n int) *fleet {
	f := &fleet{t: t, diary: t.TempDir() + "/diary", notes: newNotes(t), members: make(map[driver.MemberID]*process.Process)}
	ports := make([]*net.TCPListener, n)
	for i := range ports {
		ports[i] = listen(t)
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
func (f *fleet) add(name string) driver.MemberID { return f.start(name, listen(f.t)) }

// start starts a member process that answers pings at a port, which it takes over.
func (f *fleet) start(name string, port *net.TCPListener) (id driver.MemberID) {
	p, err := f.spawn(name, port)
	if err != nil {
		f.t.Error(err)
		return ""
	}
	f.t.Cleanup(p.Kill)
	l, err := p.Next(f.t.Context(), limit, "word that it is a member", func(s string) bool { return strings.HasPrefix(s, readyWord) })
	if err != nil {
		f.t.Error(err)
		return ""
	}
	id = driver.MemberID(strings.TrimPrefix(l.Text, readyWord))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[id] = p
	return id
}

func (f *fleet) spawn(name string, port *net.TCPListener) (*process.Process, error) {
	defer port.Close()
	file, err := port.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	role, err := json.Marshal(role{PingPort: port.Addr().(*net.TCPAddr).Port, Hosts: f.hosts, Diary: f.diary})
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(f.t.Context(), program)
	// A program with the race detector waits for a second when it ends, which is not the time that a leave takes.
	cmd.Env = append(os.Environ(), memberVariable+"="+string(role), "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.ExtraFiles = []*os.File{file}
	return process.Start(name, cmd, func(l process.Line) { f.notes.add(name, l.Text) })
}

// member gives the process of a member.
func (f *fleet) member(id driver.MemberID) *process.Process {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.members[id]
	if p == nil {
		f.t.Fatalf("%s is no member that was started: a member has joined again", id)
	}
	return p
}

// leave has a member leave gracefully, and returns when its process has ended.
func (f *fleet) leave(id driver.MemberID) {
	f.t.Helper()
	f.notes.add("test", "leaves: "+string(id))
	if err := f.member(id).Interrupt(limit); err != nil {
		f.t.Error(err)
	}
	f.forget(id)
}

// kill kills a member and returns when that was, and its process has ended.
func (f *fleet) kill(id driver.MemberID) time.Time {
	f.t.Helper()
	p := f.member(id)
	d, err := openDiary(f.diary)
	if err != nil {
		f.t.Fatal(err)
	}
	defer d.Close()
	f.notes.add("test", "is killed: "+string(id))
	at := time.Now()
	d.write(killing, string(id))
	p.Kill()
	f.forget(id)
	return at
}

func (f *fleet) forget(id driver.MemberID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.members, id)
}

// leaveAll has the members that are left leave, all at once.
func (f *fleet) leaveAll() {
	f.t.Helper()
	var wg sync.WaitGroup
	for _, id := range slices.Collect(maps.Keys(f.members)) {
		wg.Go(func() { f.leave(id) })
	}
	wg.Wait()
}

// client starts a client of the cluster in this process.
func (f *fleet) client(name string, opts ...cluster.Option) *cluster.Cluster {
	f.t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(f.notes.writer(name), nil))))
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

// sees waits until a client's view holds n members, all of them active.
func sees(t *testing.T, c *cluster.Cluster, n int) driver.View {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	changed := make(chan struct{}, 1)
	sub := actor.SubscribeTo(c.ActorSystem().EventStream, func(*cluster.ClusterTopology) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer c.ActorSystem().EventStream.Unsubscribe(sub)
	for {
		view := c.View()
		active := 0
		for _, m := range view.Members {
			if m.State == driver.Active {
				active++
			}
		}
		if active == n && len(view.Members) == n {
			return view
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the view should have %d active members, and is %v", n, view.Members)
		}
	}
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// notes keep what all processes log, and show it when the test has failed.
type notes struct {
	began time.Time
	mu    sync.Mutex // guards text
	text  strings.Builder
}

func newNotes(t *testing.T) *notes {
	n := &notes{began: time.Now()}
	t.Cleanup(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if t.Failed() {
			t.Logf("what was logged:\n%s", n.text.String())
		}
	})
	return n
}

func (n *notes) add(name, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(&n.text, "%7.3fs %-16s | %s\n", time.Since(n.began).Seconds(), name, text)
}

func (n *notes) writer(name string) noteWriter { return noteWriter{n, name} }

// noteWriter takes the lines of a logger of this process.
type noteWriter struct {
	notes *notes
	name  string
}

func (w noteWriter) Write(p []byte) (int, error) {
	w.notes.add(w.name, strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
