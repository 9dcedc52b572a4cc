package golden_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/services"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/services/messages"
)

// numbered is a till whose receipts have one number.
type numbered struct {
	grain

	number int64
}

func (n *numbered) Pay(*messages.Item_Price, cluster.GrainContext) (*services.Receipt, error) {
	return &services.Receipt{Number: n.number}, nil
}

func numberedTill(number int64) func() services.Till {
	return func() services.Till { return &numbered{number: number} }
}

// tillKind is a kind whose grains come from the factory of the process.
func tillKind(timeout time.Duration) *cluster.Kind {
	return cluster.NewKind("Till", actor.PropsFromProducer(func() actor.Actor {
		return &services.TillActor{Timeout: timeout}
	}))
}

// TestFactory is one test because the factory of the process is one.
func TestFactory(t *testing.T) {
	t.Cleanup(func() { services.TillFactory(nil) })
	price := new(messages.Item_Price)
	process := start(t, tillKind(0))
	nilFactory := start(t, services.NewTillKind(nil))
	own := start(t, services.NewTillKind(numberedTill(7)))

	_, err := services.GetTillGrainClient(process, "early").Pay(price)
	if err == nil || !strings.Contains(err.Error(), "TillFactory") {
		t.Errorf("without a factory: got error %v, want one that names TillFactory", err)
	}

	services.TillFactory(numberedTill(1))
	receipt, err := services.GetTillGrainClient(process, "early").Pay(price)
	answers(t, receipt, err, &services.Receipt{Number: 1})
	receipt, err = services.GetTillGrainClient(nilFactory, "a").Pay(price)
	answers(t, receipt, err, &services.Receipt{Number: 1})
	receipt, err = services.GetTillGrainClient(own, "a").Pay(price)
	answers(t, receipt, err, &services.Receipt{Number: 7})

	services.TillFactory(numberedTill(2))
	receipt, err = services.GetTillGrainClient(process, "early").Pay(price)
	answers(t, receipt, err, &services.Receipt{Number: 1})
	receipt, err = services.GetTillGrainClient(process, "late").Pay(price)
	answers(t, receipt, err, &services.Receipt{Number: 2})

	// Under the race detector.
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { services.TillFactory(numberedTill(2)) })
		wait.Go(func() {
			receipt, err := services.GetTillGrainClient(process, "late").Pay(price)
			answers(t, receipt, err, &services.Receipt{Number: 2})
		})
	}
	wait.Wait()
}

// terminated tells when its grain ends.
type terminated struct {
	numbered

	ended chan<- string
}

func (e *terminated) Terminate() { e.ended <- e.ID() }

func TestTimeoutOfTheActor(t *testing.T) {
	ended := make(chan string, 1)
	c := start(t, cluster.NewKind("Till", actor.PropsFromProducer(func() actor.Actor {
		return &services.TillActor{Timeout: 10 * time.Millisecond}
	})))
	services.TillFactory(func() services.Till { return &terminated{ended: ended} })
	t.Cleanup(func() { services.TillFactory(nil) })
	for range 2 { // the second call finds a grain that is stopping or gone
		if _, err := services.GetTillGrainClient(c, "short-lived").Pay(new(messages.Item_Price)); err != nil {
			t.Fatal(err)
		}
		if id := <-ended; id != "short-lived" {
			t.Errorf("grain %q ended", id)
		}
	}
}
