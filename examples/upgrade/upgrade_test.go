package upgrade_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granary-go/granary/internal/exampletest"
	"github.com/granary-go/granary/internal/servertest"
)

// Members are replaced one by one, as the README says, while the client calls.
func TestUpgrade(t *testing.T) {
	programs := []string{exampletest.Build(t, "./v1"), exampletest.Build(t, "./v2")}
	var ports []int
	var hosts []string
	for range 4 {
		port := servertest.Port(t)
		ports, hosts = append(ports, port), append(hosts, servertest.At(port))
	}
	list := "-members=" + strings.Join(hosts, ",")
	member := func(i int) *exampletest.Process {
		m := exampletest.Start(t, programs[i/2], list, fmt.Sprintf("-membership-port=%d", ports[i]))
		exampletest.Compare(t, exampletest.Shown(t, i/2), []string{m.Until("is ready")})
		return m
	}
	end := func(m *exampletest.Process) {
		m.Terminate()
		m.Wait()
	}

	old := []*exampletest.Process{member(0), member(1)}
	client := exampletest.Start(t, exampletest.Build(t, "./client"), list, "-every=10ms")
	client.Until("prices: 12 of version 1")
	first := member(2)
	end(old[0])
	for mixed := false; !mixed; {
		var before, after int
		if _, err := fmt.Sscanf(client.Until("prices: "), "prices: %d of version 1, %d of version 2", &before, &after); err != nil {
			t.Fatal(err)
		}
		mixed = before > 0 && after > 0
	}
	second := member(3)
	end(old[1])
	exampletest.Compare(t, exampletest.Shown(t, 2), client.Wait())
	end(first)
	end(second)
}
