package remote

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/wire/remotepb"
)

// frameStream is the stream of a connection; both ends of gRPC's satisfy it.
type frameStream interface {
	Send(*remotepb.Frame) error
	Recv() (*remotepb.Frame, error)
}

// conn is one stream to a peer. From its adoption until everyone was told of its
// end it is run by supervise, which owns two goroutines, one per direction.
type conn struct {
	remote *Remote
	stream frameStream
	peer   peer
	// hangUp ends the stream: it makes calls on it return an error.
	hangUp func()
	dialed bool // false if the peer dialled

	// attempt is the peer's: the one that this connection is, or the latest
	// before we reached it.
	attempt     uint64
	incarnation uint64

	decided chan error     // for those that the peer dialled: nil when adopted
	ended   chan struct{}  // closed by the first fail
	cause   error          // set before ended is closed
	once    sync.Once      // for fail
	leaving chan struct{}  // closed when the peer is to be asked for its goodbye
	leaveIt sync.Once      // for leave
	parting chan struct{}  // closed when goodbye is to be said
	partOne sync.Once      // for part
	byes    atomic.Int32   // goodbyes said and heard
	ep      *endpoint      // set by adopted
	unsent  []outbound     // what the writer took and did not write, at its end
	encoder *batchEncoder  // the writer's
	inbound *inboundTables // the reader's
}

// peer is what a process said of itself.
type peer struct {
	address    string
	member     string
	maxMessage int
}

func newConn(r *Remote, stream frameStream, p peer, incarnation, attempt uint64) *conn {
	return &conn{
		remote: r, stream: stream, peer: p,
		attempt: attempt, incarnation: incarnation,
		decided: make(chan error, 1),
		ended:   make(chan struct{}),
		leaving: make(chan struct{}),
		parting: make(chan struct{}),
		encoder: newBatchEncoder(&r.serial),
		inbound: &inboundTables{},
	}
}

// adopted starts the connection; the endpoint's mutex is held.
func (c *conn) adopted(ep *endpoint) {
	c.ep = ep
	if ep.link.leaving {
		c.leave()
	}
	attempts := c.remote.attempts.Load()
	c.remote.wg.Go(func() { c.supervise(attempts) })
	c.decided <- nil
}

// refused tells the peer why, or, if we dialled, ends the stream.
func (c *conn) refused(reason refusal) {
	c.decided <- refuseKnown(reason, c.remote.address)
	if c.dialed {
		c.hangUp()
	}
}

// fail ends the connection. The first cause counts.
func (c *conn) fail(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.ended)
	})
}

// leave asks the peer for its goodbye. What it has sent until then is answered.
func (c *conn) leave() { c.leaveIt.Do(func() { close(c.leaving) }) }

// part makes the connection end after what is queued was written.
func (c *conn) part() { c.partOne.Do(func() { close(c.parting) }) }

// bye counts the goodbyes. When both were said, the acceptor ends the stream; the
// dialler waits for that, so that its own goodbye arrives.
func (c *conn) bye() {
	if c.byes.Add(1) == 2 && !c.dialed {
		c.fail(errGoodbye)
	}
}

// supervise runs the connection. attempts is for the peer: how many attempts to
// reach it are older than this connection.
func (c *conn) supervise(attempts uint64) {
	c.remote.connected(c)
	var both sync.WaitGroup
	both.Go(func() { c.write(attempts) })
	both.Go(func() { c.fail(c.read()) })
	c.awaitEnd()
	c.ep.happened(event{kind: eventLost, conn: c})
	c.hangUp()
	both.Wait()
	c.ep.broken(c, c.cause)
	c.remote.disconnected(c)
}

// awaitEnd waits for the end, and bounds how long it takes after a goodbye.
func (c *conn) awaitEnd() {
	select {
	case <-c.ended:
		return
	case <-c.leaving:
	case <-c.parting:
	}
	timer := time.NewTimer(c.remote.config.goodbyeTimeout)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		c.fail(errSilent)
	}
}

// write is the goroutine that writes. If the stream broke, read says why.
func (c *conn) write(attempts uint64) {
	err := c.writeAll(attempts)
	if err != nil && !errors.Is(err, io.EOF) {
		c.fail(err)
	}
}

func (c *conn) writeAll(attempts uint64) error {
	if !c.dialed {
		reply := &remotepb.Frame{Kind: &remotepb.Frame_HelloReply{HelloReply: c.remote.helloReply(attempts)}}
		if err := c.stream.Send(reply); err != nil {
			return err
		}
	}
	leaving := c.leaving
	for {
		parting := closed(c.parting)
		items := c.ep.take()
		if len(items) > 0 {
			if err := c.writeItems(items); err != nil {
				return err
			}
			c.ep.giveBack(items)
			continue
		}
		if parting {
			return c.sayGoodbye()
		}
		select {
		case <-c.ep.wake:
		case <-leaving:
			leaving = nil
			if err := c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Leaving{Leaving: &remotepb.Leaving{}}}); err != nil {
				return err
			}
		case <-c.parting:
		case <-c.ended:
			return nil
		}
	}
}

func (c *conn) sayGoodbye() error {
	if err := c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Goodbye{Goodbye: &remotepb.Goodbye{}}}); err != nil {
		return err
	}
	c.bye()
	return nil
}

// writeItems writes items in batches. After an error, what was not handed to the
// transport is in unsent: gRPC takes a frame whole or not at all.
func (c *conn) writeItems(items []outbound) error {
	start, bytes := 0, 0
	flush := func(end int) error {
		if err := c.flush(); err != nil {
			c.unsent = items[start:]
			return err
		}
		c.ep.written(end-start, bytes)
		start, bytes = end, 0
		return nil
	}
	for i := range items {
		o := &items[i]
		if c.encoder.full(o.size) {
			if err := flush(i); err != nil {
				return err
			}
		}
		bytes += o.size
		if o.size > c.peer.maxMessage {
			c.ep.refused(o.target, o.env, ReasonUnsendable+tooLarge(o.size, c.peer.maxMessage))
			o.target = nil // disposed of
			continue
		}
		c.encoder.add(o)
	}
	return flush(len(items))
}

// flush sends the batch, if there is something in it.
func (c *conn) flush() error {
	if c.encoder.count == 0 {
		return nil
	}
	err := c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: c.encoder.bytes()}})
	if err == nil {
		c.remote.stats.sent.Add(uint64(c.encoder.count))
		c.ep.sent.Add(uint64(c.encoder.count))
	}
	c.encoder.reset()
	return err
}

// read is the goroutine that reads. It returns why the connection ends.
func (c *conn) read() error {
	for {
		frame, err := c.stream.Recv()
		if err != nil {
			return c.endOfStream(err)
		}
		switch kind := frame.GetKind().(type) {
		case *remotepb.Frame_Batch:
			if err := c.deliver(kind.Batch); err != nil {
				return err
			}
		case *remotepb.Frame_Leaving:
			c.ep.happened(event{kind: eventParting, conn: c})
			c.part()
		case *remotepb.Frame_Goodbye:
			c.ep.happened(event{kind: eventParting, conn: c})
			c.part()
			c.bye()
			if !c.dialed {
				<-c.ended
				return errGoodbye
			}
		case *remotepb.Frame_Hello, *remotepb.Frame_HelloReply:
			return errors.New("the peer introduced itself twice")
		}
	}
}

func (c *conn) endOfStream(err error) error {
	switch {
	case c.byes.Load() == 2:
		return errGoodbye
	case errors.Is(err, io.EOF):
		return errors.New("the peer closed the stream")
	case !c.dialed && status.Code(err) == codes.Canceled:
		return errors.New("the peer closed the connection") // gRPC tells a server no more
	default:
		return rootCause(err)
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func tooLarge(size, limit int) string {
	return fmt.Sprintf("the message has %d bytes and the limit is %d (WithMaxMessageSize)", size, limit)
}
