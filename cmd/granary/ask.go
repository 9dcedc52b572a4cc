package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// method is a method of the admin service.
type method[Q, A any] func(pb.AdminClient, context.Context, Q, ...grpc.CallOption) (A, error)

// ask puts a question to the first member that can be reached and answers, within the
// timeout. It may be put several times: it is for what only looks, or does no more the
// second time.
func ask[Q, A any](ctx context.Context, c *connection, call method[Q, A], q Q) (A, error) {
	a, _, err := askWhich(ctx, c, call, q)
	return a, err
}

// askWhich also says at which address the answer, or the refusal, came from.
func askWhich[Q, A any](ctx context.Context, c *connection, call method[Q, A], q Q) (A, string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var none A
	var errs []error
	last := ""
	for i, address := range c.members {
		last = address
		a, _, err := askAt(ctx, c, address, len(c.members)-i, call, q)
		if err == nil {
			return a, address, nil
		}
		errs = append(errs, explained(address, err))
		if status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded {
			break // it has answered
		}
	}
	return none, last, errors.Join(errs...)
}

// askOnce puts a question to one member, once: what was sent is not sent again. sent
// says that it may have got there.
func askOnce[Q, A any](ctx context.Context, c *connection, address string, call method[Q, A], q Q) (a A, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return askAt(ctx, c, address, 1, call, q)
}

// askAt puts a question to one member. If there are others to ask, it has its share of
// the time to connect; who is connected may take all that is left to answer.
func askAt[Q, A any](ctx context.Context, c *connection, address string, left int, call method[Q, A], q Q) (a A, sent bool, err error) {
	conn, err := c.dial(address)
	if err != nil {
		return a, false, err
	}
	defer conn.Close()
	connecting := ctx
	if deadline, has := ctx.Deadline(); has && left > 1 {
		var cancel context.CancelFunc
		connecting, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	if err := connected(connecting, conn, address); err != nil {
		return a, false, err
	}
	a, err = call(pb.NewAdminClient(conn), ctx, q)
	return a, true, err
}

// connected waits until a member's process has answered at the other end of a connection:
// one that is paused takes connections, too, and does not say a word.
func connected(ctx context.Context, conn *grpc.ClientConn, address string) error {
	conn.Connect()
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure:
			// Why is told only to whoever asks something: Members changes nothing.
			_, err := pb.NewAdminClient(conn).Members(ctx, &pb.MembersRequest{Brief: true})
			if code := status.Code(err); code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled {
				return err
			}
			return nil // it came up just now, and answers
		}
		if !conn.WaitForStateChange(ctx, state) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return status.Error(codes.Canceled, "interrupted")
			}
			return status.Error(codes.DeadlineExceeded, fmt.Sprintf("nobody has answered the connection to %s in time", address))
		}
	}
}
