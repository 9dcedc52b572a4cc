package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// actorName is where other members ask this one.
const actorName = "granary.admin"

// server is the admin service of one process.
type server struct {
	pb.UnimplementedAdminServer

	config  config
	cluster *cluster.Cluster
	system  *actor.ActorSystem
	journal *journal
	lister  lister
	began   time.Time

	watchers atomic.Int32
	requests rooms // of whoever asks by gRPC
	asks     rooms // of other members
	pending  pending
	leaving  sync.Once

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // the answers under way
}

// serve is a cluster.Service.
func (c *config) serve(of *cluster.Cluster, r grpc.ServiceRegistrar) (stop func()) {
	s := &server{
		config: *c, cluster: of, system: of.ActorSystem(), began: time.Now(), requests: newRooms(), asks: newRooms(), lister: newLister(),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.journal = newJournal(s)
	pb.RegisterAdminServer(r, s)
	_, err := s.system.Root.SpawnNamed(actor.PropsFromFunc(s.receive, actor.WithoutDefaults()), actorName)
	if err != nil {
		s.system.Logger().Warn("admin: other members ask another admin service of this process, or none", "error", err)
		return func() { s.stop(nil) }
	}
	return func() { s.stop(s.system.NewLocalPID(actorName)) }
}

// stopTimeout bounds how long the actor may take to end. It only hands on.
const stopTimeout = 2 * time.Second

func (s *server) stop(pid *actor.PID) {
	s.cancel()
	s.journal.close()
	if pid != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if _, err := s.system.Root.StopFuture(pid).ResultContext(ctx); err != nil {
			s.system.Logger().Warn("admin: its actor has not ended", "error", err)
			return
		}
	}
	s.wg.Wait()
}

// begin checks whether a request may be, and gives the context of what is done for it.
func (s *server) begin(ctx context.Context, r Request) (context.Context, context.CancelFunc, error) {
	if !s.config.allows(r.Operation) {
		return nil, nil, status.Errorf(codes.PermissionDenied,
			"admin: %s is not allowed here: start this process with admin.Serve(admin.Allow(…)) to allow it", r.Operation)
	}
	if s.config.authorize != nil {
		if err := s.config.authorize(ctx, r); err != nil {
			return nil, nil, status.Errorf(codes.PermissionDenied, "admin: %s is refused to you: %s", r.Operation, clean(err.Error(), maxText))
		}
	}
	leave, err := s.enter(ctx, r.Operation)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { stop(); cancel(); leave() }, nil
}

// beginInView is begin for what needs the view.
func (s *server) beginInView(ctx context.Context, r Request) (context.Context, driver.View, context.CancelFunc, error) {
	ctx, done, err := s.begin(ctx, r)
	if err != nil {
		return nil, driver.View{}, nil, err
	}
	view, err := s.view()
	if err != nil {
		done()
		return nil, driver.View{}, nil, err
	}
	return ctx, view, done, nil
}

// enter waits until there is room for a request. Streams of events are counted apart.
func (s *server) enter(ctx context.Context, op Operation) (leave func(), err error) {
	if op == Watch {
		return func() {}, nil
	}
	room := s.requests.of(op)
	full := status.Errorf(codes.ResourceExhausted, "admin: this member serves as many requests for %s as it may already: try again, or ask another one", op)
	if !room.admit() {
		return nil, full
	}
	waiting, stop := context.WithTimeout(ctx, s.config.timeout)
	defer stop()
	if !room.enter(waiting) {
		room.leave()
		return nil, full
	}
	return func() { room.exit(); room.leave() }, nil
}

// self names this process.
func (s *server) self() *pb.MemberRef {
	return &pb.MemberRef{Id: string(s.cluster.MemberID()), Address: s.system.Address()}
}

// view gives the view, or the error that there is none.
func (s *server) view() (driver.View, error) {
	if err := s.cluster.Inspect().Err(); err != nil {
		return driver.View{}, status.Errorf(codes.Unavailable, "admin: this process is in no cluster at the moment: %v", err)
	}
	view := s.cluster.View()
	if view.Epoch == 0 {
		return view, status.Error(codes.Unavailable, "admin: this process has no view of the cluster yet; try again, or another member")
	}
	return view, nil
}

// find finds a member of the view by its id or address.
func find(view driver.View, member string) (driver.Member, error) {
	for _, m := range view.Members {
		if string(m.ID) == member || m.Address == member {
			return m, nil
		}
	}
	if member == "" {
		return driver.Member{}, status.Error(codes.InvalidArgument, "admin: no member is named: give its id or its address")
	}
	return driver.Member{}, status.Errorf(codes.NotFound,
		"admin: no member of the view has the id or address %q: Members lists those that are there", clean(member, maxName))
}

// refused makes a gRPC error of what another member, or this one, has not done.
func refused(f *pb.Failure) error {
	code, known := map[pb.Reason]codes.Code{
		pb.Reason_REASON_SILENT: codes.Unavailable, pb.Reason_REASON_NOT_SERVED: codes.Unimplemented,
		pb.Reason_REASON_NOT_ALLOWED: codes.PermissionDenied, pb.Reason_REASON_INVALID: codes.InvalidArgument,
		pb.Reason_REASON_NOT_FOUND: codes.NotFound, pb.Reason_REASON_BUSY: codes.ResourceExhausted,
	}[f.GetReason()]
	if !known {
		code = codes.Unknown
	}
	return status.Errorf(code, "admin: member %s: %s", nameOf(f.GetMember()), f.GetWhy())
}

func nameOf(m *pb.MemberRef) string {
	switch {
	case m.GetId() == "":
		return m.GetAddress()
	case m.GetAddress() == "":
		return m.GetId()
	default:
		return fmt.Sprintf("%s (%s)", m.GetAddress(), m.GetId())
	}
}

// statusOf makes a gRPC error of one of the cluster's.
func statusOf(err error) error {
	code := codes.Unknown
	switch {
	case errors.Is(err, cluster.ErrInvalidIdentity), errors.Is(err, cluster.ErrInvalidMessage):
		code = codes.InvalidArgument
	case errors.Is(err, cluster.ErrNotStarted), errors.Is(err, cluster.ErrShutdown), errors.Is(err, cluster.ErrNoView):
		code = codes.Unavailable
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	return status.Error(code, clean(err.Error(), maxText))
}
