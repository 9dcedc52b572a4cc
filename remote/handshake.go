package remote

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

// protocolVersion is the one version of the protocol that there is.
const protocolVersion = 1

// maxName bounds the names of clusters and members, in bytes.
const maxName = 1 << 10

// refusal is why a connection is turned down.
type refusal = remotepb.Refusal_Reason

const (
	refusalInvalid      = remotepb.Refusal_REASON_INVALID
	refusalOtherCluster = remotepb.Refusal_REASON_OTHER_CLUSTER
	refusalNoVersion    = remotepb.Refusal_REASON_NO_COMMON_VERSION
	refusalOtherAddress = remotepb.Refusal_REASON_OTHER_ADDRESS
	refusalStale        = remotepb.Refusal_REASON_STALE
	refusalSuperseded   = remotepb.Refusal_REASON_SUPERSEDED
	refusalShuttingDown = remotepb.Refusal_REASON_SHUTTING_DOWN
	refusalTooManyPeers = remotepb.Refusal_REASON_TOO_MANY_PEERS
)

// refusalCodes are the gRPC codes for those that look at nothing else.
var refusalCodes = map[refusal]codes.Code{
	refusalInvalid:      codes.InvalidArgument,
	refusalOtherCluster: codes.FailedPrecondition,
	refusalNoVersion:    codes.Unimplemented,
	refusalOtherAddress: codes.FailedPrecondition,
	refusalStale:        codes.Aborted,
	refusalSuperseded:   codes.FailedPrecondition,
	refusalShuttingDown: codes.Unavailable,
	refusalTooManyPeers: codes.ResourceExhausted,
}

// refuse returns the status that turns a Hello down.
func refuse(reason refusal, format string, args ...any) error {
	s := status.New(refusalCodes[reason], fmt.Sprintf(format, args...))
	if detailed, err := s.WithDetails(&remotepb.Refusal{Reason: reason}); err == nil {
		s = detailed
	}
	return s.Err()
}

// refuseKnown is refuse for what a link decides.
func refuseKnown(reason refusal, address string) error {
	switch reason {
	case refusalStale:
		return refuse(reason, "the connection to %s is newer than this attempt", address)
	case refusalSuperseded:
		return refuse(reason, "a newer process has taken the address %s; two processes must not share one", address)
	default:
		return refuse(reason, "shutting down")
	}
}

// features are what two processes use if both name it.
type features struct {
	acknowledges bool
	pieces       bool
	rests        bool
}

const (
	capabilityAcknowledge = "acknowledge"
	capabilityPieces      = "pieces"
	capabilityRest        = "rest"
)

var capabilities = []string{capabilityAcknowledge, capabilityPieces, capabilityRest}

func featuresOf(named []string) features {
	return features{
		acknowledges: slices.Contains(named, capabilityAcknowledge),
		pieces:       slices.Contains(named, capabilityPieces),
		rests:        slices.Contains(named, capabilityRest),
	}
}

func (ep *endpoint) hello(attempt uint64) *remotepb.Hello {
	r := ep.remote
	return &remotepb.Hello{
		MinVersion: protocolVersion, MaxVersion: protocolVersion,
		Cluster: r.cluster, Member: r.memberID(),
		Address: r.address, Target: ep.address,
		Incarnation: r.incarnation, Attempt: attempt,
		MaxMessageSize: uint64(r.config.maxMessage),
		Capabilities:   capabilities,
		First:          ep.first(),
		Arrived:        r.arrivals.from(ep.address),
	}
}

func (ep *endpoint) helloReply(attempts uint64) *remotepb.HelloReply {
	r := ep.remote
	return &remotepb.HelloReply{
		Version: protocolVersion,
		Cluster: r.cluster, Member: r.memberID(),
		Address: r.address, Incarnation: r.incarnation, Attempts: attempts,
		MaxMessageSize: uint64(r.config.maxMessage),
		Capabilities:   capabilities,
		First:          ep.first(),
		Arrived:        r.arrivals.from(ep.address),
	}
}

// checkHello returns the status with which h is turned down, or nil.
func (r *Remote) checkHello(h *remotepb.Hello) error {
	switch {
	case h == nil:
		return refuse(refusalInvalid, "the first frame is to be a Hello")
	case h.MinVersion == 0 || h.MinVersion > h.MaxVersion:
		return refuse(refusalInvalid, "versions %d to %d make no sense", h.MinVersion, h.MaxVersion)
	case h.MinVersion > protocolVersion || h.MaxVersion < protocolVersion:
		return refuse(refusalNoVersion, "no common version: %d to %d there, %d here", h.MinVersion, h.MaxVersion, protocolVersion)
	case h.Cluster != r.cluster:
		return refuse(refusalOtherCluster, "this process is of the cluster %.100q, not of %.100q", r.cluster, h.Cluster)
	case h.Target != r.address:
		return refuse(refusalOtherAddress, "the process here is %s, not %.100q; use that address for it", r.address, h.Target)
	case h.Address == r.address:
		return refuse(refusalInvalid, "the dialler calls itself %s, which is this process", h.Address)
	case len(h.Member) > maxName:
		return refuse(refusalInvalid, "a member's id has at most %d bytes", maxName)
	case h.Incarnation == 0 || h.Attempt == 0:
		return refuse(refusalInvalid, "incarnation and attempt are not 0")
	}
	if err := checkAddress(h.Address); err != nil {
		return refuse(refusalInvalid, "the dialler's address: %v", err)
	}
	return nil
}

// checkReply says what is wrong with the answer of the process at target.
func (r *Remote) checkReply(target string, h *remotepb.HelloReply) error {
	switch {
	case h == nil:
		return errors.New("the peer answered with something else than a HelloReply")
	case h.Version != protocolVersion:
		return fmt.Errorf("the peer chose version %d, which was not offered", h.Version)
	case h.Cluster != r.cluster:
		return fmt.Errorf("the peer is of the cluster %.100q, not of %.100q", h.Cluster, r.cluster)
	case h.Address != target:
		return fmt.Errorf("the process there calls itself %.100q", h.Address)
	case h.Incarnation == 0 || len(h.Member) > maxName:
		return errors.New("the peer's HelloReply makes no sense")
	}
	return nil
}

// limit returns the largest message for a peer that takes up to theirs; 0 means
// that it did not say.
func (r *Remote) limit(theirs uint64) int {
	if theirs == 0 || theirs > uint64(r.config.maxMessage) {
		return r.config.maxMessage
	}
	return int(theirs)
}

// rootCause is err without gRPC's wrapping.
func rootCause(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	for _, detail := range s.Details() {
		if _, ok := detail.(*remotepb.Refusal); ok {
			return fmt.Errorf("refused: %s", s.Message())
		}
	}
	if s.Message() == "" {
		return fmt.Errorf("the stream ended with %s", s.Code())
	}
	return errors.New(s.Message())
}
