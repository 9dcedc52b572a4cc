package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/examples/upgrade/v2/catalog"
	"github.com/granary-go/granary/remote"
)

// articles is how many there are.
const articles = 12

func main() {
	members := flag.String("members", "127.0.0.1:6361,127.0.0.1:6362,127.0.0.1:6363,127.0.0.1:6364",
		"the members that may exist, as a `list` of host:membership-port")
	every := flag.Duration("every", 100*time.Millisecond, "the time between two rounds of calls, more than zero")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn) // the program speaks for itself

	provider := automanaged.NewWithConfig(time.Second, 0, strings.Split(*members, ",")...)
	c := cluster.New(actor.NewActorSystem(), cluster.Configure("catalog", provider, remote.Configure("127.0.0.1", 0)))
	if err := run(c, *every); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// run is a client from start to end.
func run(c *cluster.Cluster, every time.Duration) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.StartClientContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Shutdown(true)) }()

	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	var last round
	for last.prices[1] < articles {
		now, err := ask(ctx, c)
		if err != nil {
			return err
		}
		if now != last {
			fmt.Println(now)
		}
		last = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	fmt.Println("all articles are on version 2, and no call has failed")
	return nil
}

// round is what was answered to one round of calls, by version 1 and by version 2.
type round struct{ prices, stock [2]int }

func (r round) String() string {
	return fmt.Sprintf("prices: %d of version 1, %d of version 2; stock: %d say %v, %d tell",
		r.prices[0], r.prices[1], r.stock[0], cluster.CodeUnknownMethod, r.stock[1])
}

// ask asks for the price and the stock of each article.
func ask(ctx context.Context, c *cluster.Cluster) (r round, err error) {
	for i := range articles {
		article := catalog.GetArticleGrainClient(c, fmt.Sprint("article-", i))
		price, err := article.AskPriceContext(ctx, &catalog.PriceRequest{})
		switch {
		case err != nil:
			return r, err
		case price.Currency == "": // of a member that does not know the field
			r.prices[0]++
		default:
			r.prices[1]++
		}
		_, err = article.AskStockContext(ctx, &catalog.StockRequest{})
		switch unknown := new(cluster.GrainError); {
		case err == nil:
			r.stock[1]++
		case errors.As(err, &unknown) && unknown.Code == cluster.CodeUnknownMethod: // the same, of the rpc
			r.stock[0]++
		default:
			return r, err
		}
	}
	return r, nil
}
