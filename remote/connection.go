package remote

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

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

	decided  chan error    // for those that the peer dialled: nil when adopted
	ended    chan struct{} // closed by the first fail
	cause    error         // set before ended is closed
	once     sync.Once     // for fail
	leaving  chan struct{} // closed when the peer is to be asked for its goodbye
	leaveIt  sync.Once     // for leave
	parting  chan struct{} // closed when goodbye is to be said
	partOne  sync.Once     // for part
	byes     atomic.Int32  // goodbyes said and heard
	ep       *endpoint     // set by adopted
	owed     acknowledgements
	proposed time.Time     // when a rest of the peer's was considered last; the reader's
	stays    chan struct{} // has room for one: the peer's proposal to rest is declined
	room     chan struct{} // tells the writer that something was acknowledged
	writer   writer
	reader   reader
}

// peer is what a process said of itself.
type peer struct {
	address    string
	member     string
	maxMessage int
	features   features
	first      uint64 // the number of its first message on this stream
	arrived    answer // what it says of the messages that it had from here
}

func newConn(r *Remote, stream frameStream, p peer, incarnation, attempt uint64) *conn {
	c := &conn{
		remote: r, stream: stream, peer: p,
		attempt: attempt, incarnation: incarnation,
		decided: make(chan error, 1),
		ended:   make(chan struct{}),
		leaving: make(chan struct{}),
		parting: make(chan struct{}),
		room:    make(chan struct{}, 1),
		stays:   make(chan struct{}, 1),
	}
	c.owed.begin(p.first)
	c.writer = writer{conn: c, encoder: newBatchEncoder(&r.serial), frame: newOutFrame(&buffers)}
	c.reader = reader{conn: c, batch: batch{known: make(typeTable), peer: p.address}}
	return c
}

// adopted starts the connection; the endpoint's mutex is held.
func (c *conn) adopted(ep *endpoint) {
	c.ep = ep
	if d := ep.doubt; d != nil {
		ep.doubt = nil
		d.answers <- c.peer.arrived
	}
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

// bye counts the goodbyes. When both were said, and the peer has acknowledged everything,
// the acceptor ends the stream; the dialler waits for that, so that its own goodbye
// arrives.
func (c *conn) bye() {
	c.byes.Add(1)
	c.endIfDone()
}

func (c *conn) endIfDone() {
	if !c.dialed && c.byes.Load() == 2 && c.ep.unacknowledged() == 0 {
		c.fail(errGoodbye)
	}
}

// supervise runs the connection. attempts is for the peer: how many attempts to
// reach it are older than this connection.
func (c *conn) supervise(attempts uint64) {
	c.remote.connected(c)
	var both sync.WaitGroup
	both.Go(func() { c.write(attempts) })
	both.Go(func() { c.fail(c.reader.run()) })
	c.awaitEnd()
	c.ep.happened(event{kind: eventLost, conn: c})
	c.hangUp()
	both.Wait()
	c.owed.end()
	c.remote.arrivals.remember(c.peer.address, c.incarnation, c.peer.first, c.owed.arrived.Load())
	doubt := c.ep.broken(c, c.cause)
	if doubt != nil {
		c.ep.settle(c, doubt)
	}
}

// write is the goroutine that writes. If the stream broke, the reader says why.
func (c *conn) write(attempts uint64) {
	err := c.writer.run(attempts)
	if err != nil && !errors.Is(err, io.EOF) {
		c.fail(err)
	}
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

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// nudge tells whoever waits on ch, which has room for one, to look again.
func nudge(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func tooLarge(size, limit int) string {
	return fmt.Sprintf("the message has %d bytes and the limit is %d (WithMaxMessageSize)", size, limit)
}
