package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Errors of the cluster itself. What a grain returned is a [*GrainError].
var (
	// ErrNotStarted: the cluster has not been started.
	ErrNotStarted = errors.New("cluster: not started: call Start or StartClient first")
	// ErrStarted: Start or StartClient was called a second time.
	ErrStarted = errors.New("cluster: already started: a Cluster starts once")
	// ErrShutdown: the cluster has been shut down.
	ErrShutdown = errors.New("cluster: shut down")
	// ErrInvalidIdentity: the identity or kind cannot name a grain.
	ErrInvalidIdentity = errors.New("cluster: invalid identity")
	// ErrInvalidMessage: the message cannot be sent to a grain.
	ErrInvalidMessage = errors.New("cluster: invalid message")
	// ErrNoMemberForKind: until the deadline no member hosted the kind.
	ErrNoMemberForKind = errors.New("cluster: no member hosts the kind")
	// ErrNoView: until the deadline this process had no view of the cluster.
	ErrNoView = errors.New("cluster: no view of the cluster: no member was reached, or none is there yet")
	// ErrTimeout: the call's time ran out.
	ErrTimeout = errors.New("cluster: timed out")
	// ErrUnknownOutcome: the call was sent and its answer did not come; it
	// may have run. [WithRetry] allows the cluster to send it again.
	ErrUnknownOutcome = errors.New("cluster: the outcome of the call is unknown")
	// ErrCallCycle: a grain called itself, or a grain that waits for it, with
	// its own context. Who is called has not run. A caller whose grain failed
	// by it finds it in the [*GrainError], too.
	ErrCallCycle = errors.New("cluster: call cycle")
	// ErrCallDepth: more than [MaxCallDepth] grains would wait for each other.
	// It is passed on as ErrCallCycle is.
	ErrCallDepth = errors.New("cluster: calls are nested too deeply")
	// ErrUnexpectedReply: the grain answered with a message of another type.
	ErrUnexpectedReply = errors.New("cluster: unexpected reply")
)

// Code tells the causes of a [GrainError] apart.
type Code uint32

const (
	// CodeGrain: the grain's method returned an error.
	CodeGrain Code = iota
	// CodePanic: the grain's method panicked.
	CodePanic
	// CodeUnknownMethod: the grain has no such method, as when the member
	// runs an older version of the service.
	CodeUnknownMethod
	// CodeInvalidRequest: the request is not of the type that the method
	// takes.
	CodeInvalidRequest
	// CodeActivation: the grain could not be activated.
	CodeActivation
	// CodeInvalidReply: the method returned neither a reply nor an error, or a
	// nil *GrainError.
	CodeInvalidReply
	// CodeFenced: the grain's turn outlived its member's lease, or a strict
	// grain's write was not acknowledged: its reply is withheld. A call ends
	// with [ErrUnknownOutcome], in which errors.As finds this code; a plain
	// request is answered by it.
	CodeFenced
	// CodeCallCycle: the method returned an error that is [ErrCallCycle], of a
	// call that it made.
	CodeCallCycle
	// CodeCallDepth: the same of [ErrCallDepth].
	CodeCallDepth
	// CodeCancelled: the method returned the end of its context, which is what
	// its caller has caused, its deadline, or the end of its activation.
	CodeCancelled
	// CodeCluster: the method returned an error of the cluster's, of a call
	// that it made; the text says which.
	CodeCluster
)

// CodeApplication is the first code that the cluster does not use: a method that
// returns a *GrainError chooses from here on.
const CodeApplication Code = 1024

// String names the code as it is written in errors.
func (c Code) String() string {
	switch c {
	case CodeGrain:
		return "error"
	case CodePanic:
		return "panic"
	case CodeUnknownMethod:
		return "unknown method"
	case CodeInvalidRequest:
		return "invalid request"
	case CodeActivation:
		return "activation failed"
	case CodeInvalidReply:
		return "invalid reply"
	case CodeFenced:
		return "reply withheld"
	case CodeCallCycle:
		return "call cycle"
	case CodeCallDepth:
		return "call depth"
	case CodeCancelled:
		return "cancelled"
	case CodeCluster:
		return "cluster"
	default:
		return fmt.Sprintf("code %d", uint32(c))
	}
}

// GrainError is an error that came from the grain, as a value that crossed
// processes: only its code and text survive.
type GrainError struct {
	Code    Code
	Message string
}

// Error gives the text; what a method returned keeps it unchanged, unless it is
// empty.
func (e *GrainError) Error() string {
	switch e.Code {
	case CodePanic, CodeUnknownMethod, CodeInvalidRequest, CodeActivation, CodeInvalidReply, CodeFenced:
	default:
		if e.Message != "" {
			return e.Message
		}
	}
	return "cluster: grain: " + e.Code.String() + ": " + e.Message
}

// Is lets errors.Is find what a grain further on was refused.
func (e *GrainError) Is(target error) bool {
	return e.Code == CodeCallCycle && target == ErrCallCycle || e.Code == CodeCallDepth && target == ErrCallDepth
}

// clusterErrors are those that a method may have got of a call it made.
var clusterErrors = []error{
	ErrUnknownOutcome, ErrTimeout, ErrNoMemberForKind, ErrNoView, ErrShutdown, ErrNotStarted, ErrInvalidIdentity,
	ErrInvalidMessage, ErrUnexpectedReply,
}

// codeOf is the code of an error that a method returned.
func codeOf(err error) Code {
	switch {
	case errors.Is(err, ErrCallCycle):
		return CodeCallCycle
	case errors.Is(err, ErrCallDepth):
		return CodeCallDepth
	case errors.Is(err, context.Canceled):
		return CodeCancelled
	case slices.ContainsFunc(clusterErrors, func(known error) bool { return errors.Is(err, known) }):
		return CodeCluster
	case errors.Is(err, context.DeadlineExceeded):
		return CodeCancelled
	default:
		return CodeGrain
	}
}
