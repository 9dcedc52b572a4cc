// Command stream runs the cases of two processes on a stream of gRPC in both directions, each of whose messages is a batch of theirs.
package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/exchange"
	"github.com/granary-go/granary/bench/pair"
)

func main() { pair.Main(newPeer) }

func newPeer() pair.Peer { return &exchange.Peer{Listen: listen, Dial: dial} }

const (
	service = "granary.bench.Exchange"
	method  = "Batches"
)

var batches = grpc.StreamDesc{StreamName: method, ServerStreams: true, ClientStreams: true}

func listen(serve func(exchange.Link) error) (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	served := batches
	served.Handler = func(_ any, stream grpc.ServerStream) error {
		return serve(&link{stream: stream, end: func() error { return nil }}) // its end is that of the stream
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{served}}, nil)
	go func() { _ = server.Serve(listener) }() // ends with the process
	return listener.Addr().String(), nil
}

func dial(address string) (exchange.Link, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	stream, err := conn.NewStream(context.Background(), &batches, "/"+service+"/"+method)
	if err != nil {
		_ = conn.Close() // the first error is the cause
		return nil, err
	}
	return &link{stream: stream, end: conn.Close}, nil
}

// messages is what both ends of a stream have.
type messages interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// link has a message of the stream for each batch.
type link struct {
	stream messages
	end    func() error
	out    benchpb.Batch
}

func (l *link) Close() error { return l.end() }

func (l *link) Send(frames []exchange.Frame) error {
	l.out.Targets, l.out.Ids, l.out.Data = l.out.Targets[:0], l.out.Ids[:0], l.out.Data[:0]
	for _, f := range frames {
		l.out.Targets, l.out.Ids, l.out.Data = append(l.out.Targets, f.Target), append(l.out.Ids, f.ID), append(l.out.Data, f.Data)
	}
	return l.stream.SendMsg(&l.out)
}

func (l *link) Receive() ([]exchange.Frame, error) {
	var in benchpb.Batch
	if err := l.stream.RecvMsg(&in); err != nil {
		return nil, err
	}
	frames := make([]exchange.Frame, len(in.GetData()))
	for i, data := range in.GetData() {
		frames[i] = exchange.Frame{Target: in.GetTargets()[i], ID: in.GetIds()[i], Data: data}
	}
	return frames, nil
}
