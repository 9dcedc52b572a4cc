package automanaged

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/servertest"
)

// loopback makes processes on real sockets, which know the ports of all.
func loopback(t *testing.T, n int) []*process {
	noLeaks(t)
	var all []*process
	ports := make([]int, n)
	hosts := []string{fmt.Sprintf("localhost:%d", servertest.Port(t))} // nobody is there
	for i := range ports {
		ports[i] = servertest.Port(t)
		hosts = append(hosts, fmt.Sprintf("localhost:%d", ports[i]))
	}
	for _, port := range ports {
		p := newProcess(t, NewWithConfig(200*time.Millisecond, port, hosts...), "127.0.0.1", fmt.Sprintf("127.0.0.1:%d", servertest.Port(t)))
		all = append(all, p)
	}
	return all
}

func TestLoopback(t *testing.T) {
	all := loopback(t, 4)
	a, b, c, client := all[0], all[1], all[2], all[3]
	client.client = true
	client.open()
	c.open()
	c.holds(c)
	client.holds(c)
	a.open()
	b.open()
	allHold(t, a, b, c)
	client.holds(a, b, c)

	// The same place, a new process.
	b.crash()
	b.open()
	allHold(t, a, b, c)

	// The coordinator leaves, then comes back.
	c.leave()
	allHold(t, a, b)
	client.holds(a, b)
	c.open()
	allHold(t, a, b, c)

	// All vanish, and come back.
	for _, p := range []*process{a, b, c} {
		p.crash()
	}
	a.open()
	b.open()
	allHold(t, a, b)
	client.holds(a, b)
}

func TestArticlesMemberAndClient(t *testing.T) {
	noLeaks(t)
	port := servertest.Port(t)
	host := fmt.Sprintf("localhost:%d", port)
	member := newProcess(t, NewWithConfig(time.Second, port, host), "127.0.0.1", "127.0.0.1:8080").open()
	member.holds(member)
	client := newProcess(t, NewWithConfig(time.Second, servertest.Port(t), host), "127.0.0.1", "127.0.0.1:8081")
	client.client = true
	client.open()
	client.holds(member)
}

func TestPortInUse(t *testing.T) {
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	p := newProcess(t, NewWithConfig(time.Second, port), "127.0.0.1", "127.0.0.1:8080")
	for range 2 { // a failed Join leaves the provider free
		err = p.tryOpen()
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), fmt.Sprintf("ping port %d is in use", port)) {
			t.Errorf("got %v", err)
		}
	}
	// A client opens no port.
	p.provider = NewWithConfig(time.Second, port, "localhost:1")
	p.client = true
	p.open()
}

func TestAnyFreePort(t *testing.T) {
	noLeaks(t)
	a := newProcess(t, NewWithConfig(100*time.Millisecond, 0), "127.0.0.1", "127.0.0.1:8080").open()
	a.holds(a)
	ping := a.session.(*member).machine.View
	v, _ := ping()
	b := newProcess(t, NewWithConfig(100*time.Millisecond, 0, v.Entries[0].Ping), "127.0.0.1", "127.0.0.1:8081").open()
	allHold(t, a, b)
}

func TestHostWithSeveralAddresses(t *testing.T) {
	noLeaks(t)
	port := servertest.Port(t)
	name := fmt.Sprintf("granary.test:%d", port)
	var all []*process
	for i := 1; i <= 3; i++ {
		host := fmt.Sprintf("127.0.0.%d", i)
		provider := NewWithConfig(100*time.Millisecond, port, name, "unknown.test:1").WithLookup(func(_ context.Context, host string) ([]string, error) {
			if host != "granary.test" {
				return nil, errors.New("no such host")
			}
			return []string{"127.0.0.3", "127.0.0.1", "127.0.0.2", "127.0.0.4"}, nil
		})
		all = append(all, newProcess(t, provider, host, host+":8080").open())
	}
	allHold(t, all...)
}

func TestNonsenseConfiguration(t *testing.T) {
	good := NewWithConfig(time.Second, 0)
	long := strings.Repeat("x", 600)
	for want, p := range map[string]*Provider{
		`host 1 of the list: "" is not host:port`:                     NewWithConfig(time.Second, 0, ""),
		`host 2 of the list: "no port" is not host:port`:              NewWithConfig(time.Second, 0, "a:1", "no port"),
		`"host:99999" has the port "99999"`:                           NewWithConfig(time.Second, 0, "host:99999"),
		`"host:0" has the port "0"`:                                   NewWithConfig(time.Second, 0, "host:0"),
		`"host:http" has the port "http"`:                             NewWithConfig(time.Second, 0, "host:http"),
		`":6330" is not host:port`:                                    NewWithConfig(time.Second, 0, ":6330"),
		`"http://x:1" is not host:port`:                               NewWithConfig(time.Second, 0, "http://x:1"),
		`"a b:1" is not host:port: it has a blank`:                    NewWithConfig(time.Second, 0, "a b:1"),
		`refresh interval -1s is negative`:                            NewWithConfig(-time.Second, 0),
		`port 70000 is not from 0 to 65535`:                           NewWithConfig(time.Second, 70000),
		`1 missed pings make a member lost`:                           good.WithMissedPings(1),
		`1001 missed pings until a member is lost are more than 1000`: good.WithMissedPings(1001),
		`refresh interval 1h0m1s is longer than 1h0m0s`:               NewWithConfig(time.Hour+time.Second, 0),
		`cannot open ping port 0 on "nowhere.invalid"`:                good.WithBindHost("nowhere.invalid"),
		`ping address "host:0" has no port`:                           good.WithAdvertisedHost("host:0"),
		`ping address has 60`:                                         good.WithAdvertisedHost(long),
		"automanaged: port -1 is not from 0 to 65535\nautomanaged":    NewWithConfig(time.Second, -1, ""),
	} {
		session, err := p.Join(t.Context(), newProcess(t, p, "127.0.0.1", "127.0.0.1:1").described("m"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if err == nil {
			session.Close()
		}
	}
	if _, err := good.Observe(t.Context(), driver.Request{Cluster: "c"}); err == nil || !strings.Contains(err.Error(), "at least one host") {
		t.Errorf("a client without hosts: %v", err)
	}
	if _, err := NewWithConfig(time.Second, 0, "x").Observe(t.Context(), driver.Request{Cluster: "c"}); err == nil {
		t.Error("a client with a nonsense host was let in")
	}
	if _, err := NewWithConfig(time.Second, 0, "x:1").Observe(t.Context(), driver.Request{Cluster: "\xff"}); err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
		t.Errorf("a client of a cluster that cannot be named: %v", err)
	}
}

func TestNonsenseRequest(t *testing.T) {
	noLeaks(t)
	for want, change := range map[string]func(*driver.Request){
		"member id has 0 bytes":                                     func(r *driver.Request) { r.Member.ID = "" },
		"member's address \"x\" is not":                             func(r *driver.Request) { r.Member.Address = "x" },
		"address \"x:0\" has no port":                               func(r *driver.Request) { r.Member.Address = "x:0" },
		"cluster's name has 0 bytes":                                func(r *driver.Request) { r.Cluster = "" },
		"not sorted, or doubled, at \"K\"":                          func(r *driver.Request) { r.Member.Kinds = []driver.Kind{{Name: "K"}, {Name: "K"}} },
		`cluster's name "\xff" is not valid UTF-8`:                  func(r *driver.Request) { r.Cluster = "\xff" },
		`member id "\xff" is not valid UTF-8`:                       func(r *driver.Request) { r.Member.ID = "\xff" },
		`kind "\xff" is not valid UTF-8`:                            func(r *driver.Request) { r.Member.Kinds = []driver.Kind{{Name: "\xff"}} },
		`label "\xff" is not valid UTF-8`:                           func(r *driver.Request) { r.Member.Labels = map[string]string{"\xff": ""} },
		`label "x" of member m has a value that is not valid UTF-8`: func(r *driver.Request) { r.Member.Labels = map[string]string{"x": "\xff"} },
		"speaks versions 2 to 1":                                    func(r *driver.Request) { r.Member.Versions = driver.Versions{Min: 2, Max: 1} },
		"65 labels": func(r *driver.Request) {
			r.Member.Labels = make(map[string]string)
			for i := range 65 {
				r.Member.Labels[fmt.Sprint(i)] = ""
			}
		},
	} {
		p := NewWithConfig(time.Second, 0)
		r := newProcess(t, p, "127.0.0.1", "127.0.0.1:1").described("m")
		change(&r)
		if _, err := p.Join(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestOneSessionAtATime(t *testing.T) {
	noLeaks(t)
	p := newProcess(t, NewWithConfig(time.Second, 0, "localhost:1"), "127.0.0.1", "127.0.0.1:8080").open()
	for _, open := range []func(context.Context, driver.Request) (driver.Session, error){p.provider.Join, p.provider.Observe} {
		if _, err := open(t.Context(), p.described("other")); err == nil || !strings.Contains(err.Error(), "open session") {
			t.Errorf("a second session: %v", err)
		}
	}
	p.crash()
	p.crash()
	for what, err := range map[string]error{
		"Drain": p.session.Drain(t.Context()), "Leave": p.session.Leave(t.Context()),
		"Watch": func() error { _, err := p.session.Watch(t.Context(), 0); return err }(),
	} {
		if !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	p.session.Refresh(1)
	p.open()
}

func TestNewcomerLeavesAtOnce(t *testing.T) {
	noLeaks(t)
	p := newProcess(t, NewWithConfig(time.Second, 0, "localhost:1"), "127.0.0.1", "127.0.0.1:8080").open()
	p.leave()
}

func TestOptionsApplyToACopy(t *testing.T) {
	p := New()
	p.WithMissedPings(9).WithBindHost("x").WithAdvertisedHost("y")
	if p.config.missed != DefaultMissedPings || p.config.bindHost != "" || p.config.advertised != "" {
		t.Errorf("changed: %+v", p.config)
	}
	if p.config.refresh != time.Second || p.config.port != 6330 || len(p.config.hosts) != 1 || p.config.hosts[0] != "localhost:6330" {
		t.Errorf("defaults: %+v", p.config)
	}
}
