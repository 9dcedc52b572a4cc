package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/granary-go/granary/cluster"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Call implements the service. The call is made by a member that hosts the kind, since
// that one has its messages.
func (s *server) Call(ctx context.Context, r *pb.CallRequest) (*pb.CallResponse, error) {
	ctx, done, err := s.begin(ctx, Request{Operation: Call, Kind: r.GetKind(), Identity: r.GetIdentity(), Method: r.GetMethod(), Type: r.GetType()})
	if err != nil {
		return nil, err
	}
	defer done()
	bound := time.Duration(r.GetTimeoutNanos())
	switch {
	case bound < 0 || bound > MaxCallTimeout:
		return nil, status.Errorf(codes.InvalidArgument, "admin: the call's timeout is %v: it is from 0, for %v, to %v", bound, DefaultCallTimeout, MaxCallTimeout)
	case bound == 0:
		bound = DefaultCallTimeout
	}
	hosts, err := s.hostsOf(r.GetKind())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bound+s.config.timeout) // what the grain has to say about its time comes back
	defer cancel()
	question := &pb.CallRequest{
		Kind: r.GetKind(), Identity: r.GetIdentity(), Method: r.GetMethod(), Type: r.GetType(), Payload: r.GetPayload(), TimeoutNanos: int64(bound),
	}
	// A host that does not serve the service has not made the call; any other may have.
	a := s.askHosts(ctx, hosts, &pb.Ask{What: &pb.Ask_Call{Call: question}}, pb.Reason_REASON_NOT_SERVED)
	switch f := a.GetFailure(); {
	case f.GetReason() == pb.Reason_REASON_SILENT:
		return &pb.CallResponse{Member: f.GetMember(), Error: &pb.CallError{
			UnknownOutcome: true, Message: clean("member "+nameOf(f.GetMember())+": "+f.GetWhy(), maxText),
		}}, nil
	case f != nil:
		return nil, refused(f)
	}
	return a.GetCall(), nil
}

// localCall makes a call from this process, wherever the grain is.
func (s *server) localCall(ctx context.Context, r *pb.CallRequest) *pb.Answer {
	if !s.config.allows(Call) {
		return s.notAllowed(Call)
	}
	message, err := decode(r.GetType(), r.GetPayload())
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_INVALID, clean(err.Error(), maxText))
	}
	var sent any = message
	if r.GetMethod() != "" {
		sent = &cluster.GrainRequest{Method: r.Method, Message: message}
	}
	bound := min(max(time.Duration(r.GetTimeoutNanos()), time.Millisecond), MaxCallTimeout)
	reply, err := s.cluster.CallContext(ctx, r.GetIdentity(), r.GetKind(), sent, cluster.WithTimeout(bound))
	out := &pb.CallResponse{Member: s.self()}
	if err == nil {
		err = encode(out, reply)
	}
	if err != nil {
		out.Error = callError(err)
	}
	return &pb.Answer{What: &pb.Answer_Call{Call: out}}
}

func decode(name string, payload []byte) (proto.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("the message type %q is not linked into this process", name)
	}
	m := t.New().Interface()
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, fmt.Errorf("the payload is no %s: %w", name, err)
	}
	return m, nil
}

func encode(out *pb.CallResponse, reply any) error {
	m, ok := reply.(proto.Message)
	if !ok {
		return fmt.Errorf("the grain has answered with a %T, which is no protobuf message", reply)
	}
	payload, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("the grain's answer cannot be sent: %w", err)
	}
	out.Type, out.Payload = string(m.ProtoReflect().Descriptor().FullName()), payload
	return nil
}

func callError(err error) *pb.CallError {
	out := &pb.CallError{Message: clean(err.Error(), maxText), UnknownOutcome: errors.Is(err, cluster.ErrUnknownOutcome)}
	if grain, ok := errors.AsType[*cluster.GrainError](err); ok {
		out.FromGrain = !out.UnknownOutcome
		out.Code, out.CodeName = uint32(grain.Code), grain.Code.String()
	}
	return out
}
