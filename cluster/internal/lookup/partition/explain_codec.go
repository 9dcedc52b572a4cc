package partition

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	pb "github.com/granary-go/granary/cluster/internal/lookup/placementpb"
)

var (
	explainName = string((*pb.ExplainRequest)(nil).ProtoReflect().Descriptor().FullName())
	ownerName   = string((*pb.OwnerExplanation)(nil).ProtoReflect().Descriptor().FullName())
	hostName    = string((*pb.HostExplanation)(nil).ProtoReflect().Descriptor().FullName())
)

// maxWord bounds the ids and the words of an explanation, in bytes.
const maxWord = 512

// explainToWire gives the wire form of a message of an explanation; nil if it
// is none.
func explainToWire(message any) (name string, wire proto.Message) {
	switch m := message.(type) {
	case *explainRequest:
		return explainName, &pb.ExplainRequest{
			Kind: m.Identity.Kind, Name: m.Identity.Name, Transitions: uint32(m.Transitions),
		}
	case *ownerSays:
		return ownerName, ownerToWire(m)
	case *hostSays:
		return hostName, &pb.HostExplanation{
			Member: string(m.Member.ID), Epoch: m.Epoch, Promised: m.Promised, PromisedTo: string(m.PromisedTo.ID), Seq: m.Seq,
			Phase: m.Phase, Token: m.Token, Notices: uint32(m.Notices), Lease: m.Lease, Leaving: m.Leaving,
			Transitions: transitionsToWire(m.history),
		}
	default:
		return "", nil
	}
}

func ownerToWire(m *ownerSays) *pb.OwnerExplanation {
	w := &pb.OwnerExplanation{
		Member: string(m.Member.ID), Epoch: m.Epoch, State: m.State, Term: m.Term, Missing: make([]string, len(m.Missing)),
		MissingCount: uint32(m.MissingCount), Waiting: uint32(m.Waiting), Losers: uint32(m.Losers), Transitions: transitionsToWire(m.history),
	}
	for i, r := range m.Missing {
		w.Missing[i] = string(r.ID)
	}
	if e := m.Entry; e != nil {
		w.Grant = &pb.Grant{
			Phase: e.Phase, Token: e.Token, Host: string(e.Host.ID), Asking: e.Asking, Resent: uint32(e.Resent), Silent: e.Silent,
			Waiting: uint32(e.Waiting),
		}
	}
	return w
}

func transitionsToWire(history []explanation.Transition) []*pb.Transition {
	out := make([]*pb.Transition, len(history))
	for i, t := range history {
		out[i] = &pb.Transition{UnixNanos: t.At.UnixNano(), What: t.What, Why: t.Why, Token: t.Token, Term: t.Term}
		if t.Host != nil {
			out[i].Host = string(t.Host.ID)
		}
	}
	return out
}

// explainFromWire is the reverse of explainToWire; ok is false for the name of
// another message. What anybody may send is checked, so that an explanation
// stays within its limits.
func explainFromWire(name string, data []byte) (message any, ok bool, err error) {
	switch name {
	case explainName:
		var w pb.ExplainRequest
		if err := proto.Unmarshal(data, &w); err != nil {
			return nil, true, err
		}
		if err := checkIdentity(w.Kind, w.Name); err != nil {
			return nil, true, err
		}
		message = &explainRequest{
			Identity: driver.Identity{Kind: w.Kind, Name: w.Name}, Transitions: int(min(w.Transitions, maxTransitions)),
		}
	case ownerName:
		var w pb.OwnerExplanation
		if err := proto.Unmarshal(data, &w); err != nil {
			return nil, true, err
		}
		message, err = ownerFromWire(&w)
	case hostName:
		var w pb.HostExplanation
		if err := proto.Unmarshal(data, &w); err != nil {
			return nil, true, err
		}
		message, err = hostFromWire(&w)
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	return message, true, nil
}

func ownerFromWire(w *pb.OwnerExplanation) (*ownerSays, error) {
	if n := len(w.Missing); n > maxMissing {
		return nil, fmt.Errorf("%w: an explanation that misses %d hosts", errMalformed, n)
	}
	g := w.GetGrant()
	words := append([]string{w.Member, w.State, g.GetPhase(), g.GetToken(), g.GetHost()}, w.Missing...)
	history, err := transitionsFromWire(w.Transitions, words)
	if err != nil {
		return nil, err
	}
	m := &ownerSays{history: history, Owner: explanation.Owner{
		Member: refOf(w.Member), Epoch: w.Epoch, State: w.State, Term: w.Term,
		MissingCount: int(w.MissingCount), Waiting: int(w.Waiting), Losers: int(w.Losers),
	}}
	for _, id := range w.Missing {
		m.Missing = append(m.Missing, refOf(id))
	}
	if g != nil {
		m.Entry = &explanation.Entry{
			Phase: g.Phase, Token: g.Token, Host: refOf(g.Host), Asking: g.Asking, Resent: int(g.Resent), Silent: g.Silent, Waiting: int(g.Waiting),
		}
	}
	return m, nil
}

func hostFromWire(w *pb.HostExplanation) (*hostSays, error) {
	history, err := transitionsFromWire(w.Transitions, []string{w.Member, w.PromisedTo, w.Phase, w.Token, w.Lease})
	if err != nil {
		return nil, err
	}
	return &hostSays{history: history, Host: explanation.Host{
		Member: refOf(w.Member), Epoch: w.Epoch, Promised: w.Promised, PromisedTo: refOf(w.PromisedTo), Seq: w.Seq,
		Phase: w.Phase, Token: w.Token, Notices: int(w.Notices), Lease: w.Lease, Leaving: w.Leaving,
	}}, nil
}

// transitionsFromWire takes transitions, and checks their words and others.
func transitionsFromWire(wire []*pb.Transition, words []string) ([]explanation.Transition, error) {
	if len(wire) > maxTransitions {
		return nil, fmt.Errorf("%w: an explanation of %d transitions", errMalformed, len(wire))
	}
	var out []explanation.Transition
	for _, w := range wire {
		t := explanation.Transition{
			At: time.Unix(0, w.GetUnixNanos()), What: w.GetWhat(), Why: w.GetWhy(), Token: w.GetToken(), Term: w.GetTerm(),
		}
		if w.GetHost() != "" {
			t.Host = new(refOf(w.GetHost()))
		}
		out = append(out, t)
		words = append(words, w.GetWhat(), w.GetWhy(), w.GetToken(), w.GetHost())
	}
	for _, word := range words {
		if len(word) > maxWord {
			return nil, fmt.Errorf("%w: a word of %d bytes in an explanation", errMalformed, len(word))
		}
	}
	return out, nil
}

func refOf(id string) explanation.Member { return explanation.Member{ID: driver.MemberID(id)} }
