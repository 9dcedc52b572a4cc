// Command member is a member of a cluster that does what it is told on its input, a line at a time, and answers each
// with a line that begins with "answer" or "error". Members of former revisions are told in the same words: words may be
// added, and none may be changed.
//
//	view                 the members of its view
//	call KIND ID TEXT    calls a grain of kind Echo, which says where it is
//	tell ADDRESS TEXT    sends a message to the actor of a process, and waits for its answer
//	set ID TEXT          has a grain of kind Keeper keep a text
//	get ID               asks for it
//	leave                leaves gracefully, and ends
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd"
	"github.com/granary-go/granary/remote"
)

const limit = 30 * time.Second

func main() {
	endpoint := flag.String("etcd", "", "the endpoint of etcd; automanaged without")
	port := flag.Int("port", 0, "the port of automanaged's pings")
	hosts := flag.String("hosts", "", "the addresses of automanaged's pings of all members, with commas between")
	flag.Parse()
	if err := run(*endpoint, *port, *hosts); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func run(endpoint string, port int, hosts string) error {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	provider := driver.Provider(automanaged.NewWithConfig(500*time.Millisecond, port, strings.Split(hosts, ",")...))
	var strict []cluster.KindOption
	if endpoint != "" {
		config := clientv3.Config{Endpoints: []string{endpoint}}
		client, err := clientv3.New(config)
		if err != nil {
			return err
		}
		defer client.Close()
		provider = etcd.New(config)
		strict = append(strict, cluster.WithStrict(etcd.NewFencedStore(client, "/compat/state")))
	}
	c := cluster.New(system, cluster.Configure("compat", provider, remote.Configure("127.0.0.1", 0),
		cluster.NewKind("Echo", actor.PropsFromProducer(func() actor.Actor { return echo{} })),
		cluster.NewGrainKind("Keeper", func() actor.Actor { return &keeperActor{} }, strict...),
	))
	if err := c.Start(); err != nil {
		return err
	}
	if _, err := system.Root.SpawnNamed(actor.PropsFromFunc(probe), probeName); err != nil {
		return err
	}
	fmt.Println("member", system.Address())
	err := listen(c)
	return errors.Join(err, system.ShutdownContext(context.Background()))
}

// listen does what it is told until it is told to leave.
func listen(c *cluster.Cluster) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 1 && words[0] == "leave" {
			if err := c.Shutdown(true); err != nil {
				return err
			}
			fmt.Println("answer left")
			return nil
		}
		if answer, err := obey(c, words); err != nil {
			fmt.Println("error", err)
		} else {
			fmt.Println("answer", answer)
		}
	}
	return errors.Join(errors.New("the input ended before the member was told to leave"), lines.Err())
}

func obey(c *cluster.Cluster, words []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	switch {
	case len(words) == 1 && words[0] == "view":
		v := c.View()
		words := []string{v.Incarnation, strconv.FormatUint(v.Epoch, 10)}
		for _, m := range v.Members {
			words = append(words, fmt.Sprint(m.ID, "@", m.Address))
		}
		return strings.Join(words, " "), nil
	case len(words) == 4 && words[0] == "call":
		return said(c.CallContext(ctx, words[2], words[1], wrapperspb.String(words[3])))
	case len(words) == 3 && words[0] == "tell":
		to := actor.NewPID(words[1], probeName)
		return said(c.ActorSystem().Root.RequestFuture(to, wrapperspb.String(words[2]), limit).ResultContext(ctx))
	case len(words) == 3 && words[0] == "set":
		return said(keep(ctx, c, words[1], "Set", words[2]))
	case len(words) == 2 && words[0] == "get":
		return said(keep(ctx, c, words[1], "Get", ""))
	}
	return "", fmt.Errorf("what is %q", words)
}

func said(answer any, err error) (string, error) {
	text, ok := answer.(*wrapperspb.StringValue)
	if err == nil && !ok {
		err = fmt.Errorf("the answer is a %T", answer)
	}
	return text.GetValue(), err
}

const probeName = "probe"

// probe answers a text with the same and its own address.
func probe(ctx actor.Context) {
	if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
		ctx.Respond(wrapperspb.String(m.Value + "@" + ctx.Self().Address))
	}
}

// echo is a grain that does the same.
type echo struct{}

func (echo) Receive(ctx actor.Context) { probe(ctx) }
