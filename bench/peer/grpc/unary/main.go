// Command unary runs the cases of two processes that ask on plain calls of gRPC, one for each question. It tells nothing: a call has an answer.
package main

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/pair"
)

func main() { pair.Main(newPeer) }

func newPeer() pair.Peer { return &peer{} }

const (
	service    = "granary.bench.Echo"
	method     = "Ask"
	askTimeout = 10 * time.Second
)

type peer struct{ conn *grpc.ClientConn }

func (*peer) Serve(int, func()) (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service, HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: method, Handler: answer}},
	}, nil)
	go func() { _ = server.Serve(listener) }() // ends with the process
	return listener.Addr().String(), nil
}

func answer(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // as gRPC has it
	m := new(benchpb.Question)
	return m, decode(m)
}

func (p *peer) Connect(address string, _ int) (err error) {
	p.conn, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return err
}

func (*peer) Tell(int, *benchpb.Note) error { return errors.New("a unary call is no tell") }

func (p *peer) Ask(_ int, m *benchpb.Question) (*benchpb.Question, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	got := new(benchpb.Question)
	return got, p.conn.Invoke(ctx, "/"+service+"/"+method, m, got)
}

func (p *peer) Close() {
	if p.conn != nil {
		_ = p.conn.Close()
	}
}
