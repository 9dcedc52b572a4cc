package zk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// wire is a connection that keeps what is written.
type wire struct {
	net.Conn

	written bytes.Buffer
	closed  bool
}

func (w *wire) Write(p []byte) (int, error)     { return w.written.Write(p) }
func (w *wire) Close() error                    { w.closed = true; return nil }
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// frame makes a request of a session's, or a handshake.
func frame(numbers ...any) []byte {
	var b bytes.Buffer
	for _, n := range numbers {
		_ = binary.Write(&b, binary.BigEndian, n)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(b.Len())), b.Bytes()...)
}

func handshake(session int64) []byte {
	return frame(int32(0), int64(0), int32(1000), session, int32(16), make([]byte, 16))
}

func TestLinkOfKeeper(t *testing.T) {
	t.Parallel()
	for _, session := range []int64{0, 8} {
		w := &wire{}
		l := &link{Conn: w, keeper: true, session: 7, release: &atomic.Bool{}}
		if _, err := l.Write(handshake(session)); !errors.Is(err, errSessionOver) || w.written.Len() > 0 {
			t.Errorf("a handshake for session %d after 7: %v, %d bytes are sent", session, err, w.written.Len())
		}
	}
	ping, request, bye := frame(int32(-2), int32(11)), frame(int32(9), int32(5), []byte("data")), frame(int32(9), int32(-11))
	w := &wire{}
	l := &link{Conn: w, keeper: true, session: 7, release: &atomic.Bool{}}
	sent := handshake(7)
	for _, f := range [][]byte{sent, ping, request} {
		if n, err := l.Write(f); err != nil || n != len(f) {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	if want := slices.Concat(sent, request); !bytes.Equal(w.written.Bytes(), want) {
		t.Errorf("sent are %x; want the handshake and the request, without the ping: %x", w.written.Bytes(), want)
	}
	before := w.written.Len()
	if _, err := l.Write(bye); !errors.Is(err, errAbandoned) || w.written.Len() != before || !w.closed {
		t.Errorf("closing a session whose key is there: %v, %d bytes are sent, the connection is closed: %v", err, w.written.Len()-before, w.closed)
	}
	l.release.Store(true)
	if _, err := l.Write(bye); err != nil || w.written.Len() != before+len(bye) {
		t.Errorf("closing a session whose key is deleted: %v, %d bytes are sent", err, w.written.Len()-before)
	}
}
