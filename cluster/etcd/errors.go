package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// advice says what to do about an error that the server gave.
var advice = []struct {
	err error
	do  string
}{
	{rpctypes.ErrUserEmpty, "the server wants a user: set Username and Password of clientv3.Config, or a client certificate"},
	{rpctypes.ErrAuthFailed, "the server does not know this user and password: check Username and Password of clientv3.Config"},
	{rpctypes.ErrInvalidAuthToken, "the server has forgotten this user's token; the next call gets a new one"},
	{rpctypes.ErrNoSpace, "the server's database is full: compact and defragment it, then etcdctl alarm disarm"},
	{rpctypes.ErrRequestTooLarge, "the value is too large: the server's --max-request-bytes is the limit"},
	{rpctypes.ErrNoLeader, "the etcd cluster has lost its majority: see etcdctl endpoint status --cluster"},
}

// explain adds to an error of the client what to do about it. What a context has ended stays recognisable as that.
func explain(ctx context.Context, err error, endpoints []string, prefix string) error {
	if err == nil {
		return nil
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return fmt.Errorf("%w: %s", err, a.do)
		}
	}
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return fmt.Errorf("%w: the user's role needs to read and write %s: etcdctl role grant-permission ROLE --prefix=true readwrite %s",
			err, prefix, prefix)
	}
	unreachable := status.Code(err) == codes.Unavailable || errors.Is(err, context.DeadlineExceeded)
	if !unreachable || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return fmt.Errorf("no answer from %s: %w: check that these are etcd's client URLs (port 2379 as a rule), that it runs, "+
		"and that both sides use TLS (https:// and TLS of clientv3.Config) or neither", strings.Join(endpoints, ", "), err)
}
