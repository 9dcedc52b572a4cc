package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/etcd"
	"github.com/granary-go/granary/examples/internal/members"
	"github.com/granary-go/granary/remote"
)

// settings are what the program and its members have in common.
type settings struct {
	etcd, prefix string
	lease        time.Duration
	halt         string
}

func main() {
	var s settings
	flag.StringVar(&s.etcd, "etcd", "http://127.0.0.1:2379", "the `endpoint` of etcd")
	flag.StringVar(&s.prefix, "prefix", "/bank-"+rand.Text(), "under which the state of this run is kept in etcd, until its end")
	flag.DurationVar(&s.lease, "lease", 5*time.Second, "after which a member that was killed is given up")
	flag.StringVar(&s.halt, "halt", "", "the `number` of a transfer that a member halts in, between its two steps, and says so")
	member := flag.Bool("member", false, "be a member; the program starts its members so")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelError) // the program speaks for itself

	run := open
	if *member {
		run = host
	}
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "bank:", err)
		os.Exit(1)
	}
}

// cluster makes the part of this process in the cluster, which is not started yet. A member has kinds, a client none.
func (s settings) cluster(kinds ...cluster.Option) *cluster.Cluster {
	provider := etcd.New(s.client(), etcd.WithTTL(s.lease))
	return cluster.New(actor.NewActorSystem(), cluster.Configure("bank", provider, remote.Configure("127.0.0.1", 0), kinds...))
}

func (s settings) client() clientv3.Config {
	return clientv3.Config{Endpoints: []string{s.etcd}, DialOptions: []grpc.DialOption{etcd.Reconnect()}, Logger: zap.NewNop()}
}

// host is the life of a member.
func host(s settings) (err error) {
	client, err := clientv3.New(s.client())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	store := etcd.NewFencedStore(client, s.prefix)
	return members.Serve(s.cluster(newAccounts(store), newTransfers(store, func(ctx cluster.GrainContext) {
		if ctx.Identity() == s.halt {
			fmt.Println("halted in", s.halt)
			<-ctx.Done()
		}
	})))
}

// open opens the bank for a day: two members, and this process as their client.
func open(s settings) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer func() { err = errors.Join(err, s.forget()) }()
	hosts, err := members.StartAll(ctx, 2, "-member", "-etcd", s.etcd, "-prefix", s.prefix, "-lease", s.lease.String(), "-halt", fateful)
	defer func() { err = errors.Join(err, hosts.Stop()) }()
	if err != nil {
		return err
	}
	c := s.cluster()
	if err := c.StartClientContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Shutdown(true)) }()
	if err := (day{cluster: c, hosts: hosts}).run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil // done, or told to end
}

// forget deletes what this run has stored. All members have ended.
func (s settings) forget() (err error) {
	client, err := clientv3.New(s.client())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = client.Delete(ctx, s.prefix+"/", clientv3.WithPrefix())
	return err
}
