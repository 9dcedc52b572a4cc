package zk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxFrame bounds what a server may send at once: a record, or the names of all members.
	maxFrame = 4 << 20
	// maxHandshake bounds the answer to a handshake, which has 37 bytes.
	maxHandshake = 256
	// minFrame is the header of every other answer.
	minFrame = 16

	pingXid   = -2
	closeCode = -11
)

var (
	errSessionOver = errors.New("zk: the session is over")
	errEnded       = errors.New("the connection has ended")
	errAbandoned   = errors.New("zk: the session is left to its time-out")
)

// link is one connection to a server, as the client library sees it. The library trusts what a server sends, waits long
// for the answer to a handshake, pings, closes sessions, and makes a new one when the last has ended. The link looks at
// the bytes that pass, and sees to it that a server that is none does no harm; and, on the connection of a liveness
// key, that a renewal is all that keeps its session, that nothing but its time-out ends it, and that it has no successor.
type link struct {
	net.Conn

	server  string
	keeper  bool      // the session holds a liveness key
	session int64     // that must go on; 0 for a new one
	until   time.Time // for the handshake
	release *atomic.Bool

	// Of the handshake, which one goroutine of the library makes before the others begin to read and write.
	begun      time.Time // before it was sent
	opened     int64     // the session
	negotiated time.Duration
	asked      bool
	answered   atomic.Bool

	// Of the goroutine that reads.
	head []byte // not read yet of what was checked
	left int    // bytes of the frame that are still to come

	lost   bool                  // guarded by the client: it is known that the connection has ended
	blamed atomic.Pointer[error] // what ended the connection, as far as the link saw it
}

// Read gives the bytes of frames whose length is sane, and those of a handshake after a look at it.
func (l *link) Read(p []byte) (int, error) {
	if len(l.head) == 0 && l.left == 0 {
		if err := l.next(); err != nil {
			return 0, l.blame(err)
		}
	}
	if len(l.head) > 0 {
		n := copy(p, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	if err != nil {
		return n, l.blame(err)
	}
	return n, nil
}

// next begins a frame.
func (l *link) next() error {
	var length [4]byte
	if _, err := io.ReadFull(l.Conn, length[:]); err != nil {
		if !l.answered.Load() && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
			return errors.New("it closes the connection before it opens a session: it may not serve yet, have too many " +
				"connections from here (maxClientCnxns), or want TLS (WithDialer)")
		}
		return err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	switch {
	case !l.answered.Load() && (n < 36 || n > maxHandshake):
		return fmt.Errorf("it answers with the bytes %q: this is no ZooKeeper, or it wants TLS (WithDialer)", length[:])
	case n < minFrame || n > maxFrame:
		return fmt.Errorf("it sends a frame of %d bytes, which is no answer of ZooKeeper", n)
	}
	l.head, l.left = length[:], int(n)
	if l.answered.Load() {
		return nil
	}
	frame := make([]byte, 4+n)
	copy(frame, length[:])
	if _, err := io.ReadFull(l.Conn, frame[4:]); err != nil {
		return err
	}
	l.head, l.left = frame, 0
	return l.handshake(frame[4:])
}

// handshake looks at the answer to one: protocol, time-out, session and a password of 16 bytes.
func (l *link) handshake(b []byte) error {
	timeout := time.Duration(int32(binary.BigEndian.Uint32(b[4:]))) * time.Millisecond
	session := int64(binary.BigEndian.Uint64(b[8:]))
	if password := binary.BigEndian.Uint32(b[16:]); password != 16 || session != 0 && timeout < 10*time.Millisecond {
		return errors.New("its answer to a handshake makes no sense: this is no ZooKeeper")
	}
	l.opened, l.negotiated = session, timeout
	l.answered.Store(true)
	return l.Conn.SetReadDeadline(time.Time{})
}

// Write sends a frame, all of which the library hands over at once.
func (l *link) Write(p []byte) (int, error) {
	if !l.asked {
		return l.ask(p)
	}
	if len(p) >= 12 && l.keeper {
		xid, code := int32(binary.BigEndian.Uint32(p[4:])), int32(binary.BigEndian.Uint32(p[8:]))
		switch {
		case xid == pingXid:
			return len(p), nil
		case code == closeCode && !l.release.Load():
			return 0, errors.Join(errAbandoned, l.Close())
		}
	}
	n, err := l.Conn.Write(p)
	if err != nil {
		return n, l.blame(err)
	}
	return n, nil
}

// ask sends the handshake: length, protocol, last transaction, time-out and session.
func (l *link) ask(p []byte) (int, error) {
	l.asked = true
	if len(p) < 28 {
		return 0, l.blame(errors.New("the handshake is too short: the version of go-zookeeper does not fit"))
	}
	if session := int64(binary.BigEndian.Uint64(p[20:])); l.keeper && session != l.session {
		return 0, l.blame(errSessionOver)
	}
	l.begun = time.Now()
	n, err := l.Conn.Write(p)
	if err != nil {
		return n, l.blame(err)
	}
	return n, l.Conn.SetReadDeadline(l.until)
}

// SetReadDeadline bounds the next read: during the handshake by the link's own bound, as the library's is for minutes.
func (l *link) SetReadDeadline(t time.Time) error {
	if !l.answered.Load() {
		t = l.until
	}
	return l.Conn.SetReadDeadline(t)
}

// blame keeps the first error.
func (l *link) blame(err error) error {
	l.blamed.CompareAndSwap(nil, &err)
	return err
}

// cause tells what ended the connection.
func (l *link) cause() error {
	if err := l.blamed.Load(); err != nil {
		return *err
	}
	return errEnded
}
