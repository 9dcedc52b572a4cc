package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// Small messages to others pass a large one; what goes to the same target does not.
func TestSmallMessagesPassLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, Configure("here", 1))
		stream := &frames{}
		c := newConn(p.remote, stream, peer{
			address: "there:1", maxMessage: DefaultMaxMessageSize, features: featuresOf(capabilities),
		}, 1, 1)
		c.ep = newEndpoint(p.remote, "there:1")
		c.ep.link.phase, c.dialed = phaseUp, true
		big := strings.Repeat("x", 5*pieceBytes/2)
		push := func(target, body string) {
			o := encoded(t, target, actor.MessageEnvelope{Message: text("%s", body)})
			if !c.ep.queue.push(&o) {
				t.Fatal("the queue is full")
			}
		}
		push("a", "before")
		push("a", big)
		push("a", "after")
		push("b", "passes")
		push("b", big)
		push("b", "waits for its own")
		push("c", "passes, too")
		stream.between = func(n int) {
			if n == 2 { // the first piece is written
				push("d", "comes later and passes")
			}
			if n == 10 {
				c.fail(errClosing)
			}
		}
		if err := c.writer.run(0); !errors.Is(err, errEnded) {
			t.Fatal(err)
		}
		want := []string{"a:before b:passes c:passes, too", "…", "d:comes later and passes", "…", "a:large", "a:after", "…", "…", "b:large", "b:waits for its own"}
		if got := stream.log; !slices.Equal(got, want) {
			t.Errorf("written:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := c.ep.queue.messages; got != 0 {
			t.Errorf("%d messages count as queued after all were written", got)
		}
	})
}

// frames is a stream that writes down what is sent over it.
type frames struct {
	frameStream
	log     []string
	pieces  []byte
	sent    int
	between func(sent int)
}

// SendMsg takes a batch.
func (s *frames) SendMsg(m any) error { return s.Send(m.(*outFrame).Frame) }

func (s *frames) Send(f *remotepb.Frame) error {
	s.sent++
	defer func() { s.between(len(s.log)) }()
	switch kind := f.GetKind().(type) {
	case *remotepb.Frame_Batch:
		s.log = append(s.log, describe(kind.Batch))
	case *remotepb.Frame_Piece:
		s.pieces = append(s.pieces, kind.Piece.Data...)
		if !kind.Piece.Last {
			s.log = append(s.log, "…")
			return nil
		}
		s.log = append(s.log, describe(s.pieces))
		s.pieces = nil
	}
	return nil
}

func describe(data []byte) string {
	var b remotepb.Batch
	if err := proto.Unmarshal(data, &b); err != nil {
		return err.Error()
	}
	var all []string
	for _, e := range b.Envelopes {
		m := text("")
		if err := proto.Unmarshal(e.Data, m); err != nil {
			return err.Error()
		}
		if len(m.Value) > batchBytes {
			m.Value = "large"
		}
		all = append(all, b.Targets[e.Target]+":"+m.Value)
	}
	return strings.Join(all, " ")
}

func TestLargeMessagesArriveInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		other, others := b.sink("other")
		large := strings.Repeat("x", DefaultMaxMessageSize/2)
		var want []string
		for i := range 30 {
			body := fmt.Sprint(i)
			if i%3 == 0 {
				body += large
			}
			want = append(want, body)
			a.system.Root.Send(pid, text("%s", body))
			a.system.Root.Send(other, text("%d", i))
		}
		others.wait(t, 30)
		if got := in.wait(t, 30); !slices.Equal(got, want) {
			t.Error("the messages are not those that were sent, in their order")
		}
		if dead := a.dead.list(); len(dead) > 0 {
			t.Errorf("a dead letter: %s", dead[0].Reason)
		}
	})
}

func TestPiecesThatMakeNoSense(t *testing.T) {
	piece := func(data []byte, last bool) *remotepb.Frame {
		return &remotepb.Frame{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: data, Last: last}}}
	}
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		data, err := proto.Marshal(echoBatch(text("in pieces")))
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			p.send(piece(data[i:i+1], i == len(data)-1))
			p.send(piece(nil, false))
		}
		p.wantEcho("in pieces")
		p.send(piece(nil, true)) // an empty batch
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Piece{}})
		for range 100 {
			if p.stream.Send(piece(make([]byte, 1<<20), false)) != nil {
				break
			}
		}
		p.wantEnd(codes.Unavailable, errPieces.Error())
	})
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.send(piece([]byte{0xff}, true))
		p.wantEnd(codes.InvalidArgument, errMalformed.Error())
	})
}
