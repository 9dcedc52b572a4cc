package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd"
	"github.com/granary-go/granary/examples/counter/redisstore"
	"github.com/granary-go/granary/examples/internal/members"
	"github.com/granary-go/granary/remote"
)

// settings are what the program and its members have in common.
type settings struct {
	etcd, redis string
	lease       time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.etcd, "etcd", "http://127.0.0.1:2379", "the `endpoint` of etcd")
	flag.StringVar(&s.redis, "redis", "127.0.0.1:6379", "the `address` of Redis")
	flag.DurationVar(&s.lease, "lease", 5*time.Second, "after which a member that was killed is given up")
	name := flag.String("name", "visits", "what is counted")
	member := flag.Bool("member", false, "be a member; the program starts its members so")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelError) // the program speaks for itself

	run := func() error { return count(s, *name) }
	if *member {
		run = func() error { return host(s) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "counter:", err)
		os.Exit(1)
	}
}

// cluster makes the part of this process in the cluster, which is not started yet. A member has a kind, a client none.
func (s settings) cluster(kinds ...cluster.Option) *cluster.Cluster {
	provider := etcd.New(clientv3.Config{Endpoints: []string{s.etcd}, Logger: zap.NewNop()}, etcd.WithTTL(s.lease))
	return cluster.New(actor.NewActorSystem(), cluster.Configure("counter", provider, remote.Configure("127.0.0.1", 0), kinds...))
}

func (s settings) redisClient() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.redis, ContextTimeoutEnabled: true})
}

// host is the life of a member.
func host(s settings) (err error) {
	client := s.redisClient()
	defer func() { err = errors.Join(err, client.Close()) }()
	return members.Serve(s.cluster(newKind(redisstore.New(client, "counter"))))
}

// count starts two members, and is their client.
func count(s settings, name string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hosts, err := members.StartAll(ctx, 2, "-member", "-etcd", s.etcd, "-redis", s.redis, "-lease", s.lease.String())
	defer func() { err = errors.Join(err, hosts.Stop()) }()
	if err != nil {
		return err
	}
	c := s.cluster()
	if err := c.StartClientContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Shutdown(true)) }()
	if err := story(ctx, s, c, hosts, name); err != nil && ctx.Err() == nil {
		return err
	}
	return nil // told, or told to end
}

// story counts, kills the member that counts, and goes on.
func story(ctx context.Context, s settings, c *cluster.Cluster, hosts members.Fleet, name string) error {
	visits := GetCounterGrainClient(c, name)
	last, err := add(ctx, visits, 3)
	if err != nil {
		return err
	}
	if err := hosts.At(last.Member).Kill(); err != nil {
		return err
	}
	fmt.Println("the member on", last.Member, "is killed")

	// The question may be asked again, so it waits for the lease of the dead. An Add whose fate is unknown would fail.
	found, err := visits.ValueContext(ctx, &ValueRequest{}, cluster.WithTimeout(time.Minute))
	if err != nil {
		return err
	}
	fmt.Printf("the counter is on %s, and knows %d\n", found.Member, found.Value)
	if _, err := add(ctx, visits, 3); err != nil {
		return err
	}
	return tell(ctx, s, driver.Identity{Kind: "Counter", Name: name})
}

// add counts some times, and gives the last answer.
func add(ctx context.Context, visits *CounterGrainClient, times int) (last *Count, err error) {
	for range times {
		if last, err = visits.AddContext(ctx, &AddRequest{}); err != nil {
			return nil, err
		}
		fmt.Printf("%d, says the counter on %s\n", last.Value, last.Member)
	}
	return last, nil
}

// tell prints what is in the database.
func tell(ctx context.Context, s settings, id driver.Identity) (err error) {
	client := s.redisClient()
	defer func() { err = errors.Join(err, client.Close()) }()
	value, err := redisstore.New(client, "counter").Value(ctx, id)
	if err != nil {
		return err
	}
	fmt.Printf("%s, says Redis\n", value)
	return nil
}
