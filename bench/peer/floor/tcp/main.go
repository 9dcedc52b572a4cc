// Command tcp runs the cases of two processes on what a Go programmer writes by hand: messages over a TCP connection, in batches that
// begin with their length.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/granary-go/granary/bench/exchange"
	"github.com/granary-go/granary/bench/pair"
)

func main() { pair.Main(newPeer) }

func newPeer() pair.Peer { return &exchange.Peer{Listen: listen, Dial: dial} }

func listen(serve func(exchange.Link) error) (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { // ends with the process
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = serve(newLink(conn)) }() // ends with the connection
		}
	}()
	return listener.Addr().String(), nil
}

func dial(address string) (exchange.Link, error) {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return newLink(conn), nil
}

const (
	lengthBytes = 4
	headBytes   = 4 + 8 + lengthBytes // of a frame: target, id, length of the data
	maxBatch    = 4 << 20
)

// link has batches of frames: a length, and the frames, each a head and its data.
type link struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func newLink(conn net.Conn) *link { return &link{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)} }

func (l *link) Close() error { return l.conn.Close() }

func (l *link) Send(frames []exchange.Frame) error {
	out := binary.BigEndian.AppendUint32(l.out[:0], 0) // the length, once it is known
	for _, f := range frames {
		out = binary.BigEndian.AppendUint32(out, f.Target)
		out = binary.BigEndian.AppendUint64(out, f.ID)
		out = binary.BigEndian.AppendUint32(out, uint32(len(f.Data)))
		out = append(out, f.Data...)
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-lengthBytes))
	l.out = out
	_, err := l.conn.Write(out)
	return err
}

func (l *link) Receive() ([]exchange.Frame, error) {
	var length [lengthBytes]byte
	if _, err := io.ReadFull(l.in, length[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxBatch {
		return nil, errors.New("a batch is too long")
	}
	batch := make([]byte, size)
	if _, err := io.ReadFull(l.in, batch); err != nil {
		return nil, err
	}
	var frames []exchange.Frame
	for len(batch) > 0 {
		if len(batch) < headBytes {
			return nil, errors.New("a batch ends within a head")
		}
		f := exchange.Frame{Target: binary.BigEndian.Uint32(batch), ID: binary.BigEndian.Uint64(batch[4:])}
		n := int(binary.BigEndian.Uint32(batch[4+8:]))
		if batch = batch[headBytes:]; n > len(batch) {
			return nil, errors.New("a batch ends within a message")
		}
		f.Data, batch = batch[:n], batch[n:]
		frames = append(frames, f)
	}
	return frames, nil
}
