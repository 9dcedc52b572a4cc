package actor

import (
	"context"
	"fmt"
)

// Ask sends message to pid and waits for an answer of type R, as long as ctx
// allows. An answer that is an error is returned as the error, unless R takes
// it; one of another type is [ErrUnexpectedReply]. The other errors are those of
// [Future.Result] and ctx's own.
//
// sender is a [RootContext], a [Context] or a cluster's. An actor that asks
// handles no other message until the answer comes; two that ask each other wait
// until ctx ends.
func Ask[R any](ctx context.Context, sender Requester, pid *PID, message any) (R, error) {
	var zero R
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	future := sender.RequestFuture(pid, message, 0)
	reply, err := future.ResultContext(ctx)
	if err != nil {
		future.Cancel() // nobody waits for it any more
		return zero, err
	}
	if r, ok := reply.(R); ok {
		return r, nil
	}
	if err, ok := reply.(error); ok {
		return zero, err
	}
	return zero, fmt.Errorf("%w: %T from %s, not %s", ErrUnexpectedReply, reply, pid, typeOf[R]())
}
