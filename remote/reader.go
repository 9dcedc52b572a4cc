package remote

import (
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

var errPieces = errors.New("the peer sent a message in pieces that is larger than the limit (WithMaxMessageSize)")

// reader is what the goroutine that reads from a peer has for itself.
type reader struct {
	conn    *conn
	inbound inboundTables
	batch   batch
	pieces  []byte // of a batch that comes in pieces, so far
}

// run reads until the connection ends, and returns why it does.
func (r *reader) run() error {
	c := r.conn
	var frame inFrame
	for {
		frame.reset()
		if err := c.stream.RecvMsg(&frame); err != nil {
			return c.endOfStream(err)
		}
		if frame.batch != nil {
			err := r.deliver(frame.batch)
			frame.release()
			if err != nil {
				return err
			}
			continue
		}
		var err error
		switch kind := frame.GetKind().(type) {
		case *remotepb.Frame_Batch:
			err = r.deliver(kind.Batch)
		case *remotepb.Frame_Piece:
			err = r.piece(kind.Piece)
		case *remotepb.Frame_Acknowledgement:
			err = c.ep.acknowledged(c, kind.Acknowledgement.GetMessages())
		case *remotepb.Frame_Rest:
			err = c.rested()
		case *remotepb.Frame_Leaving:
			c.ep.happened(event{kind: eventParting, conn: c})
			c.part()
		case *remotepb.Frame_Goodbye:
			c.ep.happened(event{kind: eventParting, conn: c})
			c.part()
			c.bye()
			nudge(c.owed.due) // the peer waits for it
		case *remotepb.Frame_Hello, *remotepb.Frame_HelloReply:
			return errors.New("the peer introduced itself twice")
		}
		if err != nil {
			return err
		}
	}
}

// piece takes a part of a batch, which is delivered when it is complete.
func (r *reader) piece(p *remotepb.Piece) error {
	if len(r.pieces)+len(p.GetData()) > r.conn.remote.config.maxFrame() {
		return errPieces
	}
	r.pieces = append(r.pieces, p.GetData()...)
	if !p.GetLast() {
		return nil
	}
	whole := r.pieces
	r.pieces = nil
	return r.deliver(whole)
}

func (c *conn) endOfStream(err error) error {
	switch {
	case c.byes.Load() == 2 && (errors.Is(err, io.EOF) && c.dialed || c.ep.unacknowledged() == 0):
		return errGoodbye
	case errors.Is(err, io.EOF) && c.dialed && c.ep.isResting():
		return errIdle
	case errors.Is(err, io.EOF):
		return errors.New("the peer closed the stream")
	case !c.dialed && status.Code(err) == codes.Canceled:
		return errors.New("the peer closed the connection") // gRPC tells a server no more
	default:
		return rootCause(err)
	}
}
