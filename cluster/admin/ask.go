package admin

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// askAll asks members side by side, this one among them, and waits for each within the
// timeout. The answers are in the order of the members; one that did not come
// is a failure.
func (s *server) askAll(ctx context.Context, members []driver.Member, question func(driver.Member) *pb.Ask) []*pb.Answer {
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	answers := make([]*pb.Answer, len(members))
	slots := make(chan struct{}, asksAtOnce)
	var wg sync.WaitGroup
	for i, m := range members {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answers[i] = s.ask(ctx, m, question(m))
		})
	}
	wg.Wait()
	return answers
}

// same is a question that all members are asked.
func same(a *pb.Ask) func(driver.Member) *pb.Ask { return func(driver.Member) *pb.Ask { return a } }

// ask asks one member. What is wrong is in the answer.
func (s *server) ask(ctx context.Context, m driver.Member, question *pb.Ask) *pb.Answer {
	if m.ID != "" && m.ID == s.cluster.MemberID() {
		return s.answer(ctx, question)
	}
	if needsMember(question) {
		question = &pb.Ask{What: question.What, Id: s.pending.add()}
		defer s.pending.take(question.Id)
	}
	said, err := actor.Ask[*pb.Answer](ctx, s.system.Root, actor.NewPID(m.Address, actorName), question)
	switch {
	case err != nil:
		reason, why := unanswered(err)
		return failed(refTo(m), reason, why)
	case said.GetFailure() == nil && said.What == nil:
		return failed(refTo(m), pb.Reason_REASON_NOT_SERVED, "its admin service is of a version that does not know this question")
	case said.GetFailure() != nil:
		said.Failure.Member = refTo(m)
	}
	return said
}

// unanswered says why no answer came.
func unanswered(err error) (pb.Reason, string) {
	dead, isDead := errors.AsType[*actor.DeadLetterError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return pb.Reason_REASON_SILENT, "no answer in time"
	case isDead && (dead.Reason == actor.DeadLetterNoActor || dead.Reason == actor.DeadLetterStopped || strings.HasPrefix(dead.Reason, remote.ReasonUnreadable)):
		return pb.Reason_REASON_NOT_SERVED, "it does not serve the admin service: configure it with admin.Serve()"
	default:
		return pb.Reason_REASON_SILENT, clean(err.Error(), maxText)
	}
}

func failed(who *pb.MemberRef, reason pb.Reason, why string) *pb.Answer {
	return &pb.Answer{Failure: &pb.Failure{Member: who, Reason: reason, Why: why}}
}

// receive is the actor that other members ask. It only hands on: each question is
// answered by a goroutine, of which there are so many at most.
func (s *server) receive(ctx actor.Context) {
	question, ok := ctx.Message().(*pb.Ask)
	if !ok || ctx.Sender() == nil {
		return
	}
	sender := ctx.Sender()
	if confirm := question.GetConfirm(); confirm != nil {
		ctx.Respond(s.confirm(confirm))
		return
	}
	room := s.asks.of(operationOf(question))
	if !room.admit() {
		ctx.Respond(busy())
		return
	}
	s.wg.Go(func() {
		defer room.leave()
		s.system.Root.Send(sender, s.inTurn(room, sender.Address, question))
	})
}

// inTurn answers another member's question when it is its turn.
func (s *server) inTurn(room *places, from string, question *pb.Ask) *pb.Answer {
	waiting, stop := context.WithTimeout(s.ctx, s.config.timeout/2)
	defer stop()
	if !room.enter(waiting) {
		return busy()
	}
	defer room.exit()
	if needsMember(question) {
		if refusal := s.confirmed(s.ctx, from, question); refusal != nil {
			return refusal
		}
	}
	bound := s.config.timeout
	if question.GetCall() != nil {
		bound = MaxCallTimeout
	}
	limited, cancel := context.WithTimeout(s.ctx, bound)
	defer cancel()
	return s.answer(limited, question)
}

func busy() *pb.Answer {
	return failed(nil, pb.Reason_REASON_BUSY, "it answers as many questions as it may already")
}

// answer answers for this process alone.
func (s *server) answer(ctx context.Context, question *pb.Ask) *pb.Answer {
	switch q := question.GetWhat().(type) {
	case *pb.Ask_Status:
		return &pb.Answer{What: &pb.Answer_Status{Status: s.status(ctx)}}
	case *pb.Ask_Kinds:
		return &pb.Answer{What: &pb.Answer_Kinds{Kinds: s.kindCounts()}}
	case *pb.Ask_Grains:
		return s.localGrains(ctx, q.Grains)
	case *pb.Ask_Slots:
		return s.localSlots(ctx)
	case *pb.Ask_Describe:
		return s.localDescribe(q.Describe)
	case *pb.Ask_Call:
		return s.localCall(ctx, q.Call)
	case *pb.Ask_Drain:
		return s.localDrain(ctx)
	case *pb.Ask_Leave:
		return s.localLeave()
	case *pb.Ask_Events:
		return &pb.Answer{What: &pb.Answer_Events{Events: s.journal.events(q.Events.GetAfter())}}
	case *pb.Ask_Sample:
		return s.localSample(ctx, q.Sample)
	case *pb.Ask_Probe:
		return s.localProbe(ctx, q.Probe)
	default:
		return failed(s.self(), pb.Reason_REASON_NOT_SERVED, "its admin service is of a version that does not know this question")
	}
}

func failures(answers []*pb.Answer) (out []*pb.Failure) {
	for _, a := range answers {
		if a.GetFailure() != nil {
			out = append(out, a.Failure)
		}
	}
	return out
}
