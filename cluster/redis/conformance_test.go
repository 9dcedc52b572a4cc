package redis

import (
	"testing"

	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/redis/redistest"
)

func TestEntryStores(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	drivertest.EntryStores(t, drivertest.EntryService{
		Open: New(server.Options()).OpenEntries,
		Lose: map[string]func(){"emptied": func() { server.Empty(t) }, "restarted empty": func() { server.Restart(t) }},
	})
}

// A server that wrote all to its disk, and comes back with it, is not trusted
// either: it cannot tell what it has lost.
func TestEntryStoresOnDisk(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	drivertest.EntryStores(t, drivertest.EntryService{
		Open: New(server.Options()).OpenEntries,
		Lose: map[string]func(){"restarted": func() { server.Restart(t) }},
	})
}

func TestEntryStoresOnACluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	drivertest.EntryStores(t, drivertest.EntryService{
		Open: New(c.Options()).OpenEntries,
		Lose: map[string]func(){"emptied": func() {
			for _, s := range c.Servers {
				s.Empty(t)
			}
		}},
	})
}
