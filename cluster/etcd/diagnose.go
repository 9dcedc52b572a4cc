package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

const (
	// failingTimeout bounds the question to a connection that is known to fail: it is answered at once.
	failingTimeout = 100 * time.Millisecond
	// tryTimeout bounds a try to connect that is to tell why others failed.
	tryTimeout = 500 * time.Millisecond
)

// failing tells why the client's connections fail, or nil if they do not. The client itself keeps that to itself: it
// tries again until the context of the call ends, and gives only this for the error.
func failing(client *clientv3.Client, c *tls.Config) error {
	conn := client.ActiveConnection()
	if conn.GetState() != connectivity.TransientFailure {
		return nil
	}
	ctx, cancel := context.WithTimeout(client.Ctx(), failingTimeout)
	defer cancel()
	return clearer(client.Ctx(), cause(ctx, conn), c, client.Endpoints())
}

// tryOnce connects without a user, and tells why that fails, or nil if it does not: a client with a user whose
// endpoints cannot be reached is never made, and tells nothing either.
func tryOnce(ctx context.Context, c clientv3.Config) error {
	c.Username, c.Password = "", ""
	c.Context = context.WithoutCancel(ctx)
	client, err := clientv3.New(c)
	if err != nil {
		return err
	}
	defer client.Close()
	bounded, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return clearer(ctx, cause(bounded, client.ActiveConnection()), c.TLS, c.Endpoints)
}

// cause makes a call that is not tried again, and gives why it found no connection.
func cause(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	if status.Code(err) != codes.Unavailable {
		return nil // it found one
	}
	return errors.New(status.Convert(err).Message())
}

// clearer replaces why a connection failed by what the server says of the client's certificate. That comes after the
// handshake, and is lost to a client that has written to a server that had closed the connection.
func clearer(ctx context.Context, why error, c *tls.Config, endpoints []string) error {
	if why == nil || c == nil || strings.Contains(why.Error(), "handshake") || strings.Contains(why.Error(), "remote error: tls") {
		return why
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	for _, endpoint := range endpoints {
		if alert := alert(ctx, c, strings.TrimPrefix(endpoint, "https://")); alert != nil {
			return alert
		}
	}
	return why
}

// alert gives what a server says of the client's certificate, or nil if nothing.
func alert(ctx context.Context, c *tls.Config, address string) error {
	c = c.Clone()
	c.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", address)
	if err == nil {
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			err = conn.SetReadDeadline(deadline)
		}
	}
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	if err == nil || !strings.Contains(err.Error(), "remote error: tls") {
		return nil
	}
	return err
}
