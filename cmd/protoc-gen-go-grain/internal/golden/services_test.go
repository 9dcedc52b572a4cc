package golden_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/services"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/services/messages"
)

type cart struct {
	grain

	cents int64
}

func (c *cart) Add(item *messages.Item, _ cluster.GrainContext) (*emptypb.Empty, error) {
	c.cents += item.GetPrice().GetCents()
	return new(emptypb.Empty), nil
}

func (c *cart) Total(*emptypb.Empty, cluster.GrainContext) (*messages.Item_Price, error) {
	return &messages.Item_Price{Cents: c.cents}, nil
}

func (c *cart) Clear(*emptypb.Empty, cluster.GrainContext) (*emptypb.Empty, error) {
	c.cents = 0
	return new(emptypb.Empty), nil
}

type till struct{ grain }

func (*till) Pay(price *messages.Item_Price, _ cluster.GrainContext) (*services.Receipt, error) {
	return &services.Receipt{Number: price.GetCents()}, nil
}

// shelf answers plain messages, for it has no others.
type shelf struct{ grain }

func (*shelf) ReceiveDefault(ctx actor.Context) {
	if item, ok := ctx.Message().(*messages.Item); ok {
		ctx.Respond(item.GetPrice())
	}
}

func TestServices(t *testing.T) {
	c := start(t,
		services.NewCartKind(func() services.Cart { return new(cart) }),
		services.NewTillKind(func() services.Till { return new(till) }),
		services.NewShelfKind(func() services.Shelf { return new(shelf) }),
	)
	empty, price := new(emptypb.Empty), &messages.Item_Price{Cents: 5}
	item := &messages.Item{Name: "bread", Price: price}

	carts := services.GetCartGrainClient(c, "alice")
	for range 3 {
		done, err := carts.Add(item)
		answers(t, done, err, empty)
	}
	total, err := carts.Total(empty)
	answers(t, total, err, &messages.Item_Price{Cents: 15})
	done, err := carts.Clear(empty)
	answers(t, done, err, empty)
	total, err = carts.Total(empty)
	answers(t, total, err, &messages.Item_Price{})

	receipt, err := services.GetTillGrainClient(c, "1").Pay(price)
	answers(t, receipt, err, &services.Receipt{Number: 5})

	pid, err := c.GetContext(t.Context(), "top", "Shelf")
	if err != nil {
		t.Fatal(err)
	}
	priced, err := actor.Ask[*messages.Item_Price](t.Context(), c.ActorSystem().Root, pid, item)
	answers(t, priced, err, price)
}
