package automanaged

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// directory is a name service that a test changes.
type directory struct {
	mu    sync.Mutex // guards names
	names map[string][]string
}

func (d *directory) set(name string, addresses ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = addresses
}

func (d *directory) lookup(_ context.Context, name string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.names[name]; len(found) > 0 {
		return slices.Clone(found), nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// named makes processes that know others by one name alone.
func named(s *site, d *directory, address string) *process {
	p := s.member(address)
	p.provider = p.provider.WithLookup(d.lookup)
	return p
}

func newDirectory() *directory { return &directory{names: make(map[string][]string)} }

// The name leads to all, also to who asks.
func TestOneNameForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newSite(t, "shop:6330"), newDirectory()
		d.set("shop", "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.9") // nobody is at the last
		begun := time.Now()
		a, b, c := named(s, d, "10.0.0.1").open(), named(s, d, "10.0.0.2").open(), named(s, d, "10.0.0.3").open()
		allHold(t, a, b, c)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("three who are told of each other by a name hold one view after %v", took)
		}
		late := named(s, d, "10.0.0.4").open() // to which the name does not lead
		allHold(t, a, b, c, late)
		client := named(s, d, "10.0.0.5")
		client.client = true
		client.open()
		client.holds(a, b, c, late)
	})
}

// A cluster moves to other addresses, one by one, and the name with it.
func TestNameThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newSite(t, "shop:6330"), newDirectory()
		d.set("shop", "10.0.0.1")
		a := named(s, d, "10.0.0.1").open()
		a.holds(a)
		client := named(s, d, "10.0.0.5")
		client.client = true
		client.open()
		client.holds(a)
		time.Sleep(time.Minute) // the name is looked up rarely by now
		a.crash()
		d.set("shop", "10.0.1.1")
		b := named(s, d, "10.0.1.1").open()
		begun := time.Now()
		client.until("the members at the new address, after the old ones", func(v driver.View) bool { return v.Members[0].ID == b.id() })
		if took := time.Since(begun); took > 5*time.Second { // three of them until the old one is silent for long enough
			t.Errorf("the client finds the new address after %v", took)
		}
		c := named(s, d, "10.0.1.2").open()
		allHold(t, b, c)
	})
}

// A newcomer asks again while nobody is found: the name is made a second after
// it has begun.
func TestNameThatIsMadeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newSite(t, "shop:6330"), newDirectory()
		a := s.member("10.0.0.1").open() // knows no name
		a.holds(a)
		client := named(s, d, "10.0.0.5")
		client.client = true
		client.open()
		time.Sleep(17 * time.Second)
		b := named(s, d, "10.0.0.2").open()
		time.Sleep(1500 * time.Millisecond)
		d.set("shop", "10.0.0.1")
		begun := time.Now()
		client.holds(a, b)
		allHold(t, a, b)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("found after %v", took)
		}
	})
}

func TestWhoFoundsAClusterOfItsOwnSaysWhoIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newSite(t, "shop:6330", "none:6330", "10.0.0.1:6330"), newDirectory()
		d.set("shop", "10.0.0.8", "10.0.0.9")
		a := named(s, d, "10.0.0.1").open()
		a.holds(a)
		synctest.Wait()
		const want = `WARN automanaged: this member founds a cluster of its own`
		line := ""
		for l := range strings.Lines(a.logs.String()) {
			if strings.HasPrefix(l, want) {
				line = l
			}
		}
		for _, part := range []string{"none:6330 (the name is not found)", "shop:6330 (10.0.0.8:6330: ", "10.0.0.9:6330: ", "check the list"} {
			if !strings.Contains(line, part) {
				t.Errorf("the log says %q; want %q in it:\n%s", line, part, a.logs)
			}
		}
		if strings.Contains(line, "10.0.0.1:6330 (") {
			t.Errorf("the own address is said to be silent: %s", line)
		}
		b := named(s, d, "10.0.0.2").open()
		allHold(t, a, b)
		if n := b.logs.count("founds a cluster of its own"); n > 0 {
			t.Errorf("who is taken in warns:\n%s", b.logs)
		}
	})
}
