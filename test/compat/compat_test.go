package compat

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/servertest"
	"github.com/granary-go/granary/test/fleet"
)

// grains is how many grains of a kind are called: so many that both members have some.
const grains = 40

// TestFormerMemberBesideTodays upgrades a cluster of two by one member, and goes back: in each order, on a provider with
// leases, whose record and whose stored states both versions read, and on automanaged, which has none.
func TestFormerMemberBesideTodays(t *testing.T) {
	if os.Getenv("GRANARY_TEST_SERVERS") == "" {
		t.Skip("needs members of former revisions, which `make test-all` builds")
	}
	former, err := revisions(t.Context(), house, *revisionsFlag)
	if errors.Is(err, errNoHistory) && *revisionsFlag == "" {
		t.Skip(err) // a copy of the tree alone, which a CI may have, has nothing to compare
	}
	if err != nil {
		t.Fatal(err)
	}
	today := buildIn(t, house)
	for _, r := range former {
		t.Run(r.name, func(t *testing.T) {
			program := r.build(t)
			for _, order := range []struct {
				name          string
				first, second string
			}{{"the former founds", program, today}, {"todays founds", today, program}} {
				t.Run(order.name+" on etcd", func(t *testing.T) {
					server := etcdtest.Start(t)
					at := []string{"-etcd", server.Endpoint}
					upgrade(t, pair{programs: [2]string{order.first, order.second}, args: [2][]string{at, at}, stores: true})
				})
				t.Run(order.name+" on automanaged", func(t *testing.T) {
					upgrade(t, pair{programs: [2]string{order.first, order.second}, args: automanaged(t)})
				})
			}
		})
	}
}

// automanaged gives two members ports for their pings.
func automanaged(t *testing.T) (args [2][]string) {
	addresses := [2]string{servertest.Address(t), servertest.Address(t)}
	for i, address := range addresses {
		_, port, _ := strings.Cut(address, ":")
		args[i] = []string{"-port", port, "-hosts", strings.Join(addresses[:], ",")}
	}
	return args
}

// A pair are two members of different versions.
type pair struct {
	programs [2]string
	args     [2][]string
	stores   bool // what keepers keep outlives the members
	notes    *fleet.Notes
}

func (p *pair) start(t *testing.T, i int) *member {
	t.Helper()
	return start(t, p.notes, fmt.Sprint("member ", i), p.programs[i], p.args[i]...)
}

// upgrade has the second member come, the first leave, another of the first's version come, and the second leave.
func upgrade(t *testing.T, p pair) {
	p.notes = fleet.NewNotes(t)
	first := p.start(t, 0)
	second := p.start(t, 1)
	together(t, first, second)
	talk(t, first, second)
	write(t, "by-the-first", first)
	write(t, "by-the-second", second)
	read(t, second, "by-the-first")
	read(t, first, "by-the-second")

	first.leave()
	together(t, second)
	call(t, second)
	if p.stores {
		read(t, second, "by-the-first")
		read(t, second, "by-the-second")
	}

	again := p.start(t, 0)
	together(t, second, again)
	talk(t, again, second)
	write(t, "on-the-way-back", again)
	read(t, second, "on-the-way-back")

	second.leave()
	together(t, again)
	call(t, again)
	if p.stores {
		read(t, again, "by-the-second")
		read(t, again, "on-the-way-back")
	}
	again.leave()
}

// together waits until all members have the same view, of just these members.
func together(t *testing.T, members ...*member) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		var views []string
		agree := true
		for _, m := range members {
			view := m.ask("view")
			views = append(views, view)
			agree = agree && view == views[0] && strings.Count(view, "@") == len(members) && strings.Contains(view, "@"+m.address)
		}
		if agree {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("the members do not agree about their view:\n%s", strings.Join(views, "\n"))
		}
	}
}

// talk has two members call the same grains, which are where both say, and message each other.
func talk(t *testing.T, a, b *member) {
	t.Helper()
	at, too := call(t, a), call(t, b)
	hosted := map[string]int{}
	for id, host := range at {
		if too[id] != host {
			t.Errorf("%s is on %s for one member, on %s for the other", id, host, too[id])
		}
		hosted[host]++
	}
	if hosted[b.address] == 0 || len(hosted) > 2 {
		t.Errorf("grains are on %v: the one that came, %s, has none", hosted, b.address)
	}
	for _, m := range [][2]*member{{a, b}, {b, a}} {
		if said := m[0].ask("tell", m[1].address, "hello"); said != "hello@"+m[1].address {
			t.Errorf("a message from %s to %s: %s", m[0].name, m[1].name, said)
		}
	}
}

// call calls all grains from a member, and says where each is.
func call(t *testing.T, m *member) (at map[string]string) {
	t.Helper()
	at = map[string]string{}
	for i := range grains {
		id := "echo-" + strconv.Itoa(i)
		host, ok := strings.CutPrefix(m.ask("call", "Echo", id, "hello"), "hello@")
		if !ok {
			t.Fatalf("%s calls %s: %s", m.name, id, host)
		}
		at[id] = host
	}
	return at
}

// write has grains keep something, and read asks for it.
func write(t *testing.T, name string, m *member) {
	t.Helper()
	for i := range grains {
		id := name + "-" + strconv.Itoa(i)
		if said := m.ask("set", id, "value-of-"+id); said != "value-of-"+id {
			t.Fatalf("%s has %s keep something: %s", m.name, id, said)
		}
	}
}

func read(t *testing.T, m *member, name string) {
	t.Helper()
	for i := range grains {
		id := name + "-" + strconv.Itoa(i)
		if said := m.ask("get", id); said != "value-of-"+id {
			t.Errorf("%s asks for what %s keeps: %s", m.name, id, said)
		}
	}
}
