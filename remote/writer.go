package remote

import (
	"errors"
	"runtime"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

// errEnded ends the writer of a connection that has ended otherwise.
var errEnded = errors.New("the connection has ended")

// writer is what the goroutine that writes to a peer has for itself.
type writer struct {
	conn    *conn
	encoder *batchEncoder
	frame   *outFrame
	batch   []flying // the messages in encoder
	bytes   int      // theirs, as they count in the queue
	large   large
	idle    idleness
	leaving chan struct{} // the connection's, until Leaving is said
	unsent  []flying      // what was taken and not written, at its end
}

// run writes until the connection ends, or nothing more is to be written.
func (w *writer) run(attempts uint64) error {
	c := w.conn
	if !c.dialed {
		if err := c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_HelloReply{HelloReply: c.ep.helloReply(attempts)}}); err != nil {
			return err
		}
	}
	w.idle = c.newIdleness()
	defer w.idle.stop()
	w.leaving = c.leaving
	for {
		parting := closed(c.parting)
		items, more := c.ep.take()
		if len(items) == 0 && !w.large.underway() {
			if parting {
				return w.sayGoodbye()
			}
			if err := w.wait(); err != nil {
				return err
			}
			runtime.Gosched() // who is about to send, too, shares a batch with the first
			continue
		}
		if err := w.add(items); err != nil {
			return err
		}
		c.ep.giveBack(items)
		if err := w.sayWhatIsDue(); err != nil {
			return err
		}
		if more && !w.large.underway() {
			continue // the batch has room for it, or was written
		}
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.writePiece(); err != nil {
			return err
		}
	}
}

// wait waits for something to do. What is quickly done is.
func (w *writer) wait() error {
	c := w.conn
	select {
	case <-c.ep.wake:
	case <-c.owed.due:
		return w.acknowledge()
	case <-w.leaving:
		return w.sayLeaving()
	case <-c.stays:
		return w.sayRest()
	case <-w.idle.ticks():
		if w.idle.lasted() {
			return w.proposeRest()
		}
	case <-w.idle.unanswered():
		return errUnanswered
	case <-c.parting:
	case <-c.ended:
		return errEnded
	}
	return nil
}

// sayWhatIsDue says what must not wait until there is nothing else to say.
func (w *writer) sayWhatIsDue() error {
	for {
		var err error
		select {
		case <-w.conn.owed.due:
			err = w.acknowledge()
		case <-w.leaving:
			err = w.sayLeaving()
		case <-w.conn.stays:
			err = w.sayRest()
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *writer) sayLeaving() error {
	w.leaving = nil
	return w.conn.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Leaving{Leaving: &remotepb.Leaving{}}})
}

func (w *writer) sayRest() error {
	return w.conn.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Rest{Rest: &remotepb.Rest{}}})
}

// sayGoodbye writes the last that is to be said. What the peer still says is
// acknowledged: it may wait for that to say more.
func (w *writer) sayGoodbye() error {
	c := w.conn
	if err := c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Goodbye{Goodbye: &remotepb.Goodbye{}}}); err != nil {
		return err
	}
	c.bye()
	if err := w.acknowledge(); err != nil {
		return err
	}
	for {
		select {
		case <-c.owed.due:
			if err := w.acknowledge(); err != nil {
				return err
			}
		case <-c.ended:
			return nil
		}
	}
}

// add puts items into the batch, but for the large message and those that have to
// wait for it. Batches that are full are written. After an error, what was not
// handed to the transport is in unsent: gRPC takes a frame whole or not at all.
func (w *writer) add(items []outbound) error {
	c := w.conn
	for i := range items {
		o := &items[i]
		switch {
		case o.size > c.peer.maxMessage:
			c.ep.written(1, o.size)
			c.ep.refused(o.target, o.env, ReasonUnsendable+tooLarge(o.size, c.peer.maxMessage))
			continue
		case c.peer.features.pieces && w.large.takes(o, &c.remote.serial):
			continue
		case w.encoder.full(o.size):
			if err := w.flush(); err != nil {
				w.lose(items[i:])
				return err
			}
		}
		w.encoder.add(o)
		w.batch = append(w.batch, o.flying())
		w.bytes += o.size
	}
	return nil
}

// lose notes what is not written any more.
func (w *writer) lose(items []outbound) {
	for i := range items {
		w.unsent = append(w.unsent, items[i].flying())
	}
}

// flush sends the batch, if there is something in it.
func (w *writer) flush() error {
	if w.encoder.count == 0 {
		return nil
	}
	c := w.conn
	if err := w.takeOff(); err != nil {
		return err
	}
	acknowledged := c.owed.take(c.peer.features.acknowledges)
	w.encoder.acknowledge(acknowledged)
	data := w.encoder.detach()
	w.frame.holds(data)
	err := c.stream.SendMsg(w.frame)
	w.frame.holds(nil) // it is gRPC's now
	w.landed(len(data), err)
	return err
}

// takeOff books the messages of the batch as under way. It waits until the peer has
// acknowledged enough of those before; meanwhile the peer gets what it waits for.
func (w *writer) takeOff() error {
	c := w.conn
	for !c.ep.takeOff(w.batch, w.bytes, c.peer.features.acknowledges) {
		select {
		case <-c.room:
		case <-c.owed.due:
			if err := w.acknowledge(); err != nil {
				return err
			}
		case <-w.leaving:
			if err := w.sayLeaving(); err != nil {
				return err
			}
		case <-c.stays:
			if err := w.sayRest(); err != nil {
				return err
			}
		case <-c.ended:
			return errEnded
		}
	}
	return nil
}

// landed is the end of takeOff: the transport has taken the messages, or has not.
func (w *writer) landed(size int, err error) {
	c, n := w.conn, len(w.batch)
	if err != nil {
		w.unsent = append(w.unsent, c.ep.withdraw(w.batch, c.peer.features.acknowledges)...)
	} else {
		c.remote.stats.sent.Add(uint64(n))
		c.ep.sent.Add(uint64(n))
		c.remote.stats.sentBytes.Add(uint64(size))
		c.ep.sentBytes.Add(uint64(size))
	}
	clear(w.batch)
	w.batch, w.bytes = w.batch[:0], 0
}

// acknowledge tells the peer how far its messages have come, if it does not know.
func (w *writer) acknowledge() error {
	c := w.conn
	n := c.owed.take(c.peer.features.acknowledges)
	if n == 0 {
		return nil
	}
	return c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Acknowledgement{
		Acknowledgement: &remotepb.Acknowledgement{Messages: n},
	}})
}

// writePiece writes a part of the large message that is under way, if there is one.
// After the last one come those that had to wait for it.
func (w *writer) writePiece() error {
	if !w.large.underway() {
		return nil
	}
	c := w.conn
	data, last := w.large.next()
	if last {
		w.batch, w.bytes = append(w.batch, w.large.message.flying()), w.large.message.size
		if err := w.takeOff(); err != nil {
			w.batch = nil // it is among the rest as the large message
			return err
		}
	}
	err := c.stream.Send(&remotepb.Frame{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: data, Last: last}}})
	if !last {
		return err
	}
	w.landed(w.large.size, err)
	waiting := w.large.finish()
	if err != nil {
		w.lose(waiting)
		return err
	}
	if err := w.add(waiting); err != nil {
		return err
	}
	return w.flush()
}

// rest returns what was not written, at the end.
func (w *writer) rest() []flying {
	w.unsent = append(w.unsent, w.batch...)
	w.batch = nil
	if w.large.underway() {
		w.lose([]outbound{w.large.message})
		w.lose(w.large.waiting)
	}
	return w.unsent
}
