package golden_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/options"
)

// pythia answers with what it sees of a call.
type pythia struct{ grain }

func (o *pythia) see(ctx cluster.GrainContext) (*options.Answer, error) {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	return &options.Answer{Text: fmt.Sprintf("within %v, again %t", left.Round(time.Minute).String(), cluster.CallIDFrom(ctx) != "")}, nil
}

func (o *pythia) Plain(_ *options.Question, ctx cluster.GrainContext) (*options.Answer, error) {
	return o.see(ctx)
}

func (o *pythia) Hasty(_ *options.Question, ctx cluster.GrainContext) (*options.Answer, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (o *pythia) Again(_ *options.Question, ctx cluster.GrainContext) (*options.Answer, error) {
	return o.see(ctx)
}

func (o *pythia) Look(_ *options.Question, ctx cluster.GrainContext) (*options.Answer, error) {
	return o.see(ctx)
}

// Ponder asks its own grain, which can answer meanwhile.
func (o *pythia) Ponder(question *options.Question, ctx cluster.GrainContext) (answer *options.Answer, err error) {
	self := options.GetOracleGrainClient(ctx.Cluster(), o.ID())
	err = ctx.Await(func(ctx context.Context) error {
		answer, err = self.PlainContext(ctx, question)
		return err
	})
	return answer, err
}

func (o *pythia) All(question *options.Question, ctx cluster.GrainContext) (*options.Answer, error) {
	if _, err := o.Ponder(question, ctx); err != nil {
		return nil, err
	}
	return o.see(ctx)
}

func TestOptionsOfMethods(t *testing.T) {
	c := start(t, options.NewOracleKind(func() options.Oracle { return new(pythia) }))
	client := options.GetOracleGrainClient(c, "delphi")
	ask := &options.Question{Subject: &options.Question_Other{Other: &options.Question{Urgent: new(true)}}}
	long := cluster.WithTimeout(30 * time.Minute)
	for what, call := range map[string]struct {
		of   func(*options.Question, ...cluster.GrainCallOption) (*options.Answer, error)
		opts []cluster.GrainCallOption
		want string
	}{
		"nothing said":         {client.Plain, nil, "within 0s, again false"},
		"idempotent":           {client.Again, nil, "within 0s, again true"},
		"without effects":      {client.Look, nil, "within 0s, again true"},
		"all":                  {client.All, nil, "within 1m0s, again true"},
		"an option comes last": {client.All, []cluster.GrainCallOption{long, cluster.WithRetry(0)}, "within 30m0s, again false"},
		"reenterable":          {client.Ponder, nil, "within 0s, again false"},
	} {
		answer, err := call.of(ask, call.opts...)
		if err != nil || answer.GetText() != call.want {
			t.Errorf("%s: %q, %v; want %q", what, answer.GetText(), err, call.want)
		}
	}
	began := time.Now()
	if _, err := client.Hasty(ask); !errors.Is(err, cluster.ErrTimeout) || time.Since(began) < 1500*time.Millisecond || time.Since(began) >= cluster.DefaultRequestTimeout {
		t.Errorf("%v after %v; want ErrTimeout after 1.5 s", err, time.Since(began))
	}
}
