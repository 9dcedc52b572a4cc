package admin

import (
	"context"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// Drain implements the service.
func (s *server) Drain(ctx context.Context, r *pb.DrainRequest) (*pb.DrainResponse, error) {
	a, err := s.operate(ctx, Request{Operation: Drain, Member: r.GetMember()}, &pb.Ask{What: &pb.Ask_Drain{Drain: &pb.DrainRequest{}}})
	if err != nil {
		return nil, err
	}
	return a.GetDrain(), nil
}

// Leave implements the service.
func (s *server) Leave(ctx context.Context, r *pb.LeaveRequest) (*pb.LeaveResponse, error) {
	a, err := s.operate(ctx, Request{Operation: Leave, Member: r.GetMember()}, &pb.Ask{What: &pb.Ask_Leave{Leave: &pb.LeaveRequest{}}})
	if err != nil {
		return nil, err
	}
	return a.GetLeave(), nil
}

// operate has a member do something to itself. It has to be allowed there; who asks
// is looked at here.
func (s *server) operate(ctx context.Context, r Request, question *pb.Ask) (*pb.Answer, error) {
	ctx, view, done, err := s.beginInView(ctx, r)
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := find(view, r.Member)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	a := s.ask(ctx, m, question)
	if a.GetFailure() != nil {
		return nil, refused(a.Failure)
	}
	return a, nil
}

func (s *server) notAllowed(op Operation) *pb.Answer {
	return failed(s.self(), pb.Reason_REASON_NOT_ALLOWED,
		string(op)+" is not allowed there: start that process with admin.Serve(admin.Allow(…)) to allow it")
}

func (s *server) localDrain(ctx context.Context) *pb.Answer {
	if !s.config.allows(Drain) {
		return s.notAllowed(Drain)
	}
	if err := s.cluster.Drain(ctx); err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, clean(err.Error(), maxText)+"; what was begun goes on")
	}
	return &pb.Answer{What: &pb.Answer_Drain{Drain: &pb.DrainResponse{Member: s.self(), Active: s.cluster.Inspect().Active()}}}
}

// localLeave begins to leave. Its goroutine is not waited for: a shutdown, which it
// causes, waits for everything else here.
func (s *server) localLeave() *pb.Answer {
	if !s.config.allows(Leave) {
		return s.notAllowed(Leave)
	}
	answer := &pb.Answer{What: &pb.Answer_Leave{Leave: &pb.LeaveResponse{Member: s.self()}}}
	s.leaving.Do(func() {
		s.system.Logger().Info("admin: this process was asked to leave the cluster", "member", s.cluster.MemberID())
		go func() {
			if s.config.leave != nil {
				s.config.leave()
				return
			}
			_ = s.cluster.Shutdown(true) // which logs how it went, and whoever calls it again is told
		}()
	})
	return answer
}
