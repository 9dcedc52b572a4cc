package etcd

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// authenticate is the call that gives a token for a user and a password.
const authenticate = "/etcdserverpb.Auth/Authenticate"

// authenticateAfresh gets over a fault that servers have up to 3.4: the client sends its token with each call, also with
// the one that is to give it a new token, and they refuse that for the old token that they have forgotten. Without it a
// member is locked out when a token has run out, or a server was started again. The call is made once more by a client
// that has no token. Newer servers do not look at the token there.
func authenticateAfresh(c clientv3.Config) grpc.UnaryClientInterceptor {
	c.Username, c.Password = "", ""
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := call(ctx, method, req, reply, cc, opts...)
		if method != authenticate || !errors.Is(rpctypes.Error(err), rpctypes.ErrInvalidAuthToken) {
			return err
		}
		ask, asks := req.(*pb.AuthenticateRequest)
		answer, answers := reply.(*pb.AuthenticateResponse)
		if !asks || !answers {
			return err
		}
		client, other := clientv3.New(c)
		if other != nil {
			return err
		}
		defer client.Close()
		got, err := pb.NewAuthClient(client.ActiveConnection()).Authenticate(ctx, ask)
		if err == nil {
			answer.Header, answer.Token = got.Header, got.Token
		}
		return err
	}
}
