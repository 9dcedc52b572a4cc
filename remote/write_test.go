package remote

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// brokenStream takes a number of frames and then breaks.
type brokenStream struct {
	frameStream
	takes int
	taken []*remotepb.Batch
	t     *testing.T
}

var errBroken = errors.New("the stream is broken")

func (s *brokenStream) SendMsg(m any) error {
	if len(s.taken) == s.takes {
		return errBroken
	}
	s.taken = append(s.taken, readBatch(s.t, m.(*outFrame).GetBatch()))
	return nil
}

// Each message is written, or too large for the peer, or not written; the queue
// counts what is under way.
func TestWriterAccountsForEveryMessage(t *testing.T) {
	large := wrapperspb.String(strings.Repeat("x", batchBytes/3))
	for takes := range 6 {
		p := newProcess(t, Configure("here", 1))
		stream := &brokenStream{takes: takes, t: t}
		c := newConn(p.remote, stream, peer{address: "there:1", maxMessage: DefaultMaxMessageSize}, 1, 1)
		c.ep = newEndpoint(p.remote, "there:1")
		c.ep.link.close() // takes nothing new
		const messages = 9
		for i := range messages {
			m := large
			if i == 4 {
				m = wrapperspb.String(strings.Repeat("x", DefaultMaxMessageSize))
			}
			o := encoded(t, "target", actor.MessageEnvelope{Message: m})
			if !c.ep.queue.push(&o) {
				t.Fatal("the queue is full")
			}
		}
		items, _ := c.ep.take()
		err := c.writer.add(items)
		if err == nil {
			err = c.writer.flush()
		}
		written := 0
		for _, b := range stream.taken {
			written += len(b.Envelopes)
		}
		unsent := len(c.writer.rest())
		dead := len(p.dead.list())
		if (err != nil) != (unsent > 0) {
			t.Errorf("%d frames: %v, %d not written", takes, err, unsent)
		}
		if written+unsent+dead != messages {
			t.Errorf("%d frames: %d written, %d not written, %d too large, of %d", takes, written, unsent, dead, messages)
		}
		if got := c.ep.queue.messages; got != unsent {
			t.Errorf("%d frames: the queue counts %d messages, %d are not written", takes, got, unsent)
		}
	}
}

// halfBrokenStream takes batches and no other frames.
type halfBrokenStream struct{ frameStream }

func (halfBrokenStream) SendMsg(any) error          { return nil }
func (halfBrokenStream) Send(*remotepb.Frame) error { return errBroken }

// What was taken from the queue is accounted for also when the stream breaks at a frame between two batches.
func TestWriterThatBreaksBetweenBatches(t *testing.T) {
	p := newProcess(t, Configure("here", 1))
	c := newConn(p.remote, halfBrokenStream{}, peer{
		address: "there:1", maxMessage: DefaultMaxMessageSize, features: featuresOf(capabilities),
	}, 1, 1)
	c.dialed = true
	c.ep = newEndpoint(p.remote, "there:1")
	const messages = 3
	for range messages {
		o := encoded(t, "target", actor.MessageEnvelope{Message: wrapperspb.String("x")})
		if !c.ep.queue.push(&o) {
			t.Fatal("the queue is full")
		}
	}
	c.owed.count(owedMessages, 0, true) // an acknowledgement is due
	err := c.writer.run(0)
	if written := c.ep.flight.len(); !errors.Is(err, errBroken) || written+len(c.writer.rest()) != messages {
		t.Errorf("%v: %d written, %d not, of %d", err, written, len(c.writer.rest()), messages)
	}
}
