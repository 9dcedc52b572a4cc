package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/granary-go/granary/cluster/internal/grainpb"
	"github.com/granary-go/granary/cluster/internal/lookup/partition"
)

// GrainRequest calls one method of a grain. Generated code makes it; within
// one process it reaches the grain as it is, without being serialised.
type GrainRequest struct {
	// Method is the rpc's name in the .proto.
	Method string
	// Message is immutable once sent. Where its type is not linked into the process
	// that gets it, it is one of no type that a program could know: the caller is of
	// another version.
	Message proto.Message
	// Deadline is when the caller stops waiting; zero means never.
	Deadline time.Time

	// caller is the context of a caller in this process; it does not cross.
	caller context.Context
	// chain are the grains that wait for the call; unsent, before it is sent, if
	// nobody but the call has the request.
	chain *waiting
	// id names the call in all its tries; empty if there is only one.
	id string
}

// unsent marks the requests that CallGrain makes: they are filled in, instead of
// copied.
var unsent = new(waiting)

// from gives the request as it is sent by a call with this context. Its own
// deadline counts, if it has one.
func (r *GrainRequest) from(ctx context.Context, chain *waiting, id string) *GrainRequest {
	sent := r
	if r.chain != unsent {
		sent = &GrainRequest{Method: r.Method, Message: r.Message, Deadline: r.Deadline}
	}
	sent.caller, sent.chain, sent.id = ctx, chain, id
	if sent.Deadline.IsZero() {
		sent.Deadline, _ = ctx.Deadline()
	}
	return sent
}

// expired reports whether nobody waits for the answer any more.
func (r *GrainRequest) expired() bool {
	return !r.Deadline.IsZero() && !time.Now().Before(r.Deadline) || r.caller != nil && r.caller.Err() != nil
}

// GrainResponse is what a method returned.
type GrainResponse struct {
	Message proto.Message
}

// codec carries the cluster's own messages across processes.
type codec struct{ partition partition.Codec }

var (
	grainRequestName  = messageName(&pb.GrainRequest{})
	grainResponseName = messageName(&pb.GrainResponse{})
	grainFailureName  = messageName(&pb.GrainFailure{})
	grainCancelName   = messageName(&pb.GrainCancel{})
)

func messageName(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }

// Encode implements remote.Codec.
func (c codec) Encode(message any) (name string, data []byte, ok bool, err error) {
	switch m := message.(type) {
	case *GrainRequest:
		wire := &pb.GrainRequest{Method: m.Method, TimeoutNanos: remaining(m.Deadline), Waiting: chainOut(m.chain), Call: m.id}
		if wire.Type, wire.Payload, err = encodePayload(m.Message); err != nil {
			return grainRequestName, nil, true, err
		}
		data, err = proto.Marshal(wire)
		return grainRequestName, data, true, err
	case *GrainResponse:
		wire := new(pb.GrainResponse)
		if wire.Type, wire.Payload, err = encodePayload(m.Message); err != nil {
			return grainResponseName, nil, true, err
		}
		data, err = proto.Marshal(wire)
		return grainResponseName, data, true, err
	case *GrainError:
		data, err = proto.Marshal(&pb.GrainFailure{Code: uint32(m.Code), Message: strings.ToValidUTF8(m.Message, "\uFFFD")})
		return grainFailureName, data, true, err
	case *grainCancel:
		data, err = proto.Marshal(&pb.GrainCancel{Activation: m.activation})
		return grainCancelName, data, true, err
	default:
		return c.partition.Encode(message)
	}
}

// Decode implements remote.Codec.
func (c codec) Decode(name string, data []byte) (message any, ok bool, err error) {
	switch name {
	case grainRequestName:
		message, err = decodeRequest(data)
	case grainResponseName:
		message, err = decodeResponse(data)
	case grainFailureName:
		var wire pb.GrainFailure
		err = proto.Unmarshal(data, &wire)
		message = &GrainError{Code: Code(wire.Code), Message: wire.Message}
	case grainCancelName:
		var wire pb.GrainCancel
		err = proto.Unmarshal(data, &wire)
		message = &grainCancel{wire.Activation}
	default:
		return c.partition.Decode(name, data)
	}
	if err != nil {
		return nil, true, err
	}
	return message, true, nil
}

func decodeRequest(data []byte) (*GrainRequest, error) {
	var wire pb.GrainRequest
	if err := proto.Unmarshal(data, &wire); err != nil {
		return nil, err
	}
	if len(wire.Call) > MaxCallIDLength {
		return nil, fmt.Errorf("cluster: a call id of %d bytes: the limit is %d", len(wire.Call), MaxCallIDLength)
	}
	m := &GrainRequest{Method: wire.Method, id: wire.Call}
	if wire.TimeoutNanos > 0 {
		m.Deadline = time.Now().Add(time.Duration(wire.TimeoutNanos))
	}
	var err error
	if m.chain, err = chainIn(wire.Waiting); err != nil {
		return nil, err
	}
	m.Message, err = decodePayload(wire.Type, wire.Payload)
	if wire.Type != "" && errors.Is(err, protoregistry.NotFound) {
		m.Message, err = &unlinkedMessage{name: wire.Type, data: wire.Payload}, nil
	}
	return m, err
}

// unlinkedMessage stands for the message of a request whose type this process does not
// know, as that of an rpc that a newer version has: the grain is to say so, and not
// whoever reads the bytes.
type unlinkedMessage struct {
	emptypb.Empty // makes it a message, and is not what is sent on

	name string
	data []byte
}

func decodeResponse(data []byte) (*GrainResponse, error) {
	var wire pb.GrainResponse
	if err := proto.Unmarshal(data, &wire); err != nil {
		return nil, err
	}
	message, err := decodePayload(wire.Type, wire.Payload)
	return &GrainResponse{Message: message}, err
}

// remaining is what is left until a deadline, at least a nanosecond: 0 means
// no deadline.
func remaining(deadline time.Time) int64 {
	if deadline.IsZero() {
		return 0
	}
	return max(int64(time.Until(deadline)), 1)
}

func encodePayload(m proto.Message) (string, []byte, error) {
	if err := checkMessage(m); err != nil {
		return "", nil, err
	}
	if m, ok := m.(*unlinkedMessage); ok { // it is forwarded
		return m.name, m.data, nil
	}
	data, err := proto.Marshal(m)
	return messageName(m), data, err
}

func decodePayload(name string, data []byte) (proto.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("cluster: message type %q is not linked into this process: %w", name, err)
	}
	m := t.New().Interface()
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("cluster: decode %s: %w", name, err)
	}
	return m, nil
}

// checkMessage refuses what no grain can receive: nil, a nil pointer.
func checkMessage(message any) error {
	if message == nil {
		return fmt.Errorf("%w: it is nil", ErrInvalidMessage)
	}
	if v := reflect.ValueOf(message); v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Errorf("%w: it is a nil %T", ErrInvalidMessage, message)
	}
	return nil
}
