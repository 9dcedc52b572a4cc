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
	"github.com/granary-go/granary/remote"
)

func main() {
	data := flag.String("data", "", "the `folder` with the carts; without it they are deleted in the end")
	rest := flag.Duration("rest", time.Second, "how long a cart is idle before it is put away")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn) // the program speaks for itself

	if err := run(*data, *rest); err != nil {
		fmt.Fprintln(os.Stderr, "cart:", err)
		os.Exit(1)
	}
}

// run is a member from start to end, and a customer's morning.
func run(data string, rest time.Duration) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if data == "" {
		if data, err = os.MkdirTemp("", "carts-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	rested := make(chan string, 1) // the last one that nobody has read yet is enough
	kind := newKind(folder(data), rest, func(id string) {
		select {
		case rested <- id:
		default:
		}
	})
	c := cluster.New(actor.NewActorSystem(), cluster.Configure("cart",
		automanaged.NewWithConfig(time.Second, 0), remote.Configure("127.0.0.1", 0), kind))
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Shutdown(true)) }()
	return shop(ctx, GetCartGrainClient(c, "ada"), rested)
}

// shop fills a cart and pays.
func shop(ctx context.Context, cart *CartGrainClient, rested <-chan string) error {
	apples, pears := &Item{Article: "apple", Pieces: 2}, &Item{Article: "pear", Pieces: 1}
	contents, err := cart.AddContext(ctx, apples, cluster.WithCallID("click-1"))
	if err != nil {
		return err
	}
	fmt.Println("2 apples, click-1:", list(contents))

	// Whoever is not sure whether a call came through makes it again, under its id.
	if contents, err = cart.AddContext(ctx, apples, cluster.WithCallID("click-1")); err != nil {
		return err
	}
	fmt.Println("again, click-1:   ", list(contents))
	if contents, err = cart.AddContext(ctx, pears, cluster.WithCallID("click-2")); err != nil {
		return err
	}
	fmt.Println("1 pear, click-2:  ", list(contents))

	select {
	case id := <-rested:
		fmt.Printf("(nobody has called the cart of %s for a while: it is put away)\n", id)
	case <-ctx.Done():
		return ctx.Err()
	}
	if contents, err = cart.AddContext(ctx, apples, cluster.WithCallID("click-1")); err != nil {
		return err
	}
	fmt.Println("again, click-1:   ", list(contents))
	return checkout(ctx, cart)
}

// checkout pays at a bank that is slow, with too little patience first.
func checkout(ctx context.Context, cart *CartGrainClient) error {
	_, err := cart.CheckoutContext(ctx, &CheckoutRequest{BankTakesMs: 60_000}, cluster.WithTimeout(100*time.Millisecond))
	if !errors.Is(err, cluster.ErrTimeout) {
		return fmt.Errorf("a payment that takes a minute is no timeout after a tenth of a second: %w", err)
	}
	contents, err := cart.ShowContext(ctx, &ShowRequest{})
	if err != nil {
		return err
	}
	fmt.Println("100ms for the bank: timed out, and the cart still has", list(contents))

	receipt, err := cart.CheckoutContext(ctx, &CheckoutRequest{BankTakesMs: 10}, cluster.WithTimeout(10*time.Second))
	if err != nil {
		return err
	}
	fmt.Printf("10s for the bank: %d pieces are bought\n", receipt.Pieces)
	if contents, err = cart.ShowContext(ctx, &ShowRequest{}); err != nil {
		return err
	}
	fmt.Println("the cart now has", list(contents))
	return nil
}

// list writes contents for people.
func list(c *Contents) string {
	if len(c.Items) == 0 {
		return "nothing"
	}
	var parts []string
	for _, item := range c.Items {
		parts = append(parts, fmt.Sprintf("%d× %s", item.Pieces, item.Article))
	}
	return strings.Join(parts, ", ")
}
