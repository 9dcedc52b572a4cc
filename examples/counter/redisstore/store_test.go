package redisstore_test

import (
	"errors"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/redis/redistest"
	"github.com/granary-go/granary/examples/counter/redisstore"
)

// The store keeps the contract, with a connection of its own for each process.
func TestContract(t *testing.T) {
	server := redistest.Start(t)
	drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore {
		return redisstore.New(server.Client(t), "test")
	})
}

// A server that is killed, and comes back with what it had written, has forgotten no token.
func TestTokensSurviveTheServer(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	store := redisstore.New(server.Client(t), "test")
	id := driver.Identity{Kind: "Counter", Name: "visits"}
	if err := store.Write(t.Context(), id, driver.Fence{Term: 2, Seq: 1}, []byte("6")); err != nil {
		t.Fatal(err)
	}
	server.Restart(t)
	store = redisstore.New(server.Client(t), "test")
	if err := store.Write(t.Context(), id, driver.Fence{Term: 1, Seq: 9}, []byte("5")); !errors.Is(err, driver.ErrFenced) {
		t.Errorf("an older token writes: %v", err)
	}
	if value, err := store.Open(t.Context(), id, driver.Fence{Term: 3, Seq: 1}); err != nil || string(value) != "6" {
		t.Errorf("the value is %q, %v; want 6", value, err)
	}
}
