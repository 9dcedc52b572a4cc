package golden_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/comments"
)

type oracle struct {
	grain

	pondering, woken chan<- struct{}
}

func (o *oracle) Ask(q *comments.Question, ctx cluster.GrainContext) (*comments.Answer, error) {
	return &comments.Answer{Text: ctx.Kind() + "/" + o.ID() + ": " + q.GetText()}, nil
}

func (*oracle) Guess(*comments.Question, cluster.GrainContext) (*comments.Answer, error) {
	return nil, errors.New("no idea")
}

// Ponder goes on until the caller gives up.
func (o *oracle) Ponder(_ *comments.Question, ctx cluster.GrainContext) (*comments.Answer, error) {
	close(o.pondering)
	<-ctx.Done()
	close(o.woken)
	return nil, ctx.Err()
}

func (o *oracle) Uncommented(q *comments.Question, ctx cluster.GrainContext) (*comments.Answer, error) {
	return o.Ask(q, ctx)
}

func (o *oracle) Consult(q *comments.Question, ctx cluster.GrainContext) (*comments.Answer, error) {
	return o.Ask(q, ctx)
}

func (o *oracle) Implore(q *comments.Question, ctx cluster.GrainContext) (*comments.Answer, error) {
	return o.Ask(q, ctx)
}

func (o *oracle) Beg(q *comments.Question, ctx cluster.GrainContext) (*comments.Answer, error) {
	return o.Ask(q, ctx)
}

func TestCalls(t *testing.T) {
	c := start(t, comments.NewOracleKind(func() comments.Oracle { return new(oracle) }))
	client := comments.GetOracleGrainClient(c, "delphi")
	question := &comments.Question{Text: "why?"}
	want := &comments.Answer{Text: "Oracle/delphi: why?"}

	got, err := client.Ask(question)
	answers(t, got, err, want)
	got, err = client.AskContext(t.Context(), question)
	answers(t, got, err, want)
	got, err = client.Uncommented(question)
	answers(t, got, err, want)

	if _, err := client.Guess(question); err == nil || !strings.Contains(err.Error(), "no idea") {
		t.Errorf("the grain's error came as %v", err)
	}
}

func TestCancellationReachesTheGrain(t *testing.T) {
	pondering, woken := make(chan struct{}), make(chan struct{})
	c := start(t, comments.NewOracleKind(func() comments.Oracle {
		return &oracle{pondering: pondering, woken: woken}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := comments.GetOracleGrainClient(c, "delphi").PonderContext(ctx, new(comments.Question))
		failed <- err
	}()
	<-pondering
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled call gave %v", err)
	}
	<-woken
}
