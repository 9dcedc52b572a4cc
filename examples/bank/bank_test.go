package main

import (
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/exampletest"
)

// The program does as the README says, and leaves nothing in the database but what etcd's membership keeps.
func TestBank(t *testing.T) {
	server := etcdtest.Start(t)
	bank := exampletest.Start(t, exampletest.Build(t, "."), "-etcd="+server.Endpoint, "-lease=2s", "-prefix=/bank")
	exampletest.Compare(t, exampletest.Shown(t, 0), bank.Wait())

	left, err := server.Client(t).Get(t.Context(), "/bank/", clientv3.WithPrefix())
	if err != nil || left.Count > 0 {
		t.Errorf("the program leaves %v, %v; want nothing", left, err)
	}
}
