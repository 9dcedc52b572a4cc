package remote

import (
	"errors"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

var (
	errNoPID   = errors.New("a PID is missing")
	errForeign = errors.New("a process speaks of its own actors only")
	errControl = errors.New("no such message of the actor system")
)

// controlOf returns the wire form of a message of the actor system itself, and
// nil for every other message.
func (s *serial) controlOf(message any) (*remotepb.Control, error) {
	switch m := message.(type) {
	case *actor.Watch:
		if m == nil || m.Watcher == nil {
			return nil, errNoPID
		}
		return &remotepb.Control{Kind: &remotepb.Control_Watch{Watch: &remotepb.Watch{Watcher: s.pidOut(m.Watcher)}}}, nil
	case *actor.Unwatch:
		if m == nil || m.Watcher == nil {
			return nil, errNoPID
		}
		return &remotepb.Control{Kind: &remotepb.Control_Unwatch{Unwatch: &remotepb.Unwatch{Watcher: s.pidOut(m.Watcher)}}}, nil
	case *actor.Terminated:
		if m == nil || m.Who == nil {
			return nil, errNoPID
		}
		return &remotepb.Control{Kind: &remotepb.Control_Terminated{Terminated: &remotepb.Terminated{
			Who: s.pidOut(m.Who), Why: remotepb.Terminated_Reason(m.Why),
		}}}, nil
	case *actor.Stop:
		return &remotepb.Control{Kind: &remotepb.Control_Stop{Stop: &remotepb.Stop{}}}, nil
	case *actor.PoisonPill:
		return &remotepb.Control{Kind: &remotepb.Control_PoisonPill{PoisonPill: &remotepb.PoisonPill{}}}, nil
	case *replyLost:
		return &remotepb.Control{Kind: &remotepb.Control_ReplyLost{ReplyLost: &remotepb.ReplyLost{Reason: m.reason}}}, nil
	case *actor.DeadLetterResponse:
		if m == nil {
			return nil, errNilPointer
		}
		return &remotepb.Control{Kind: &remotepb.Control_DeadLetterResponse{DeadLetterResponse: &remotepb.DeadLetterResponse{
			Target: s.pidOut(m.Target), Reason: m.Reason,
		}}}, nil
	default:
		return nil, nil
	}
}

// controlIn is the reverse of controlOf for what the process at peer sent. system
// says which way the message is delivered.
func (s *serial) controlIn(c *remotepb.Control, peer string) (message any, system bool, err error) {
	switch k := c.GetKind().(type) {
	case *remotepb.Control_Watch:
		w, err := pidOf(k.Watch.GetWatcher(), peer)
		return &actor.Watch{Watcher: w}, true, err
	case *remotepb.Control_Unwatch:
		w, err := pidOf(k.Unwatch.GetWatcher(), peer)
		return &actor.Unwatch{Watcher: w}, true, err
	case *remotepb.Control_Terminated:
		who, err := pidOf(k.Terminated.GetWho(), peer)
		return &actor.Terminated{Who: who, Why: actor.TerminatedReason(k.Terminated.GetWhy())}, true, err
	case *remotepb.Control_Stop:
		return &actor.Stop{}, true, nil
	case *remotepb.Control_PoisonPill:
		return &actor.PoisonPill{}, false, nil
	case *remotepb.Control_ReplyLost:
		return &replyLost{reason: k.ReplyLost.GetReason()}, false, nil
	case *remotepb.Control_DeadLetterResponse:
		d := k.DeadLetterResponse
		return &actor.DeadLetterResponse{Target: s.pidIn(d.GetTarget()), Reason: d.GetReason()}, false, nil
	default:
		return nil, false, errControl
	}
}

// pidOf returns p if it lives at the address of the peer that speaks of it.
func pidOf(p *remotepb.PID, peer string) (*actor.PID, error) {
	switch {
	case p.GetId() == "":
		return nil, errNoPID
	case p.GetAddress() != peer:
		return nil, errForeign
	default:
		return actor.NewPID(peer, p.GetId()), nil
	}
}

func (s *serial) pidIn(p *remotepb.PID) *actor.PID {
	if p == nil {
		return nil
	}
	return actor.NewPID(p.GetAddress(), p.GetId())
}

func (s *serial) pidOut(p *actor.PID) *remotepb.PID {
	if p == nil {
		return nil
	}
	return &remotepb.PID{Address: s.addressOf(p), Id: p.Id}
}

// addressOf returns the address by which others know the process where p lives.
func (s *serial) addressOf(p *actor.PID) string {
	if p.Address == "" || p.Address == nowhere {
		return s.self
	}
	return p.Address
}
