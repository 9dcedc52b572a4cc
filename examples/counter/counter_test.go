package main

import (
	"testing"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/cluster/redis/redistest"
	"github.com/granary-go/granary/internal/exampletest"
)

// The program does as the README says, and when it is run again it goes on.
func TestCounter(t *testing.T) {
	program := exampletest.Build(t, ".")
	args := []string{
		"-etcd=" + etcdtest.Start(t).Endpoint,
		"-redis=" + redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always").Address,
		"-lease=2s",
	}
	exampletest.Compare(t, exampletest.Shown(t, 0), exampletest.Start(t, program, args...).Wait())

	again := exampletest.Start(t, program, args...)
	again.Until("7, says the counter")
	again.Wait()
}
