package admin

import (
	"strings"
	"unicode/utf8"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// maxText bounds a text for people, in bytes, and maxName what somebody else calls
	// himself.
	maxText = 2000
	maxName = 300
)

// clean makes a text fit to be sent: it is valid UTF-8 and not too long. What it
// holds else is the reader's business.
func clean(text string, most int) string {
	if len(text) > most {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func refTo(m driver.Member) *pb.MemberRef {
	return &pb.MemberRef{Id: clean(string(m.ID), maxName), Address: clean(m.Address, maxName)}
}

// refIn names a member of which the id is known.
func refIn(view driver.View, id driver.MemberID) *pb.MemberRef {
	if m, in := view.Member(id); in {
		return refTo(m)
	}
	return &pb.MemberRef{Id: clean(string(id), maxName)}
}

func memberOut(m driver.Member) *pb.Member {
	out := &pb.Member{
		Id: clean(string(m.ID), maxName), Address: clean(m.Address, maxName), State: pb.State(m.State) + pb.State_STATE_ACTIVE,
		MinVersion: m.Versions.Min, MaxVersion: m.Versions.Max, Labels: make(map[string]string, len(m.Labels)),
	}
	for _, k := range m.Kinds {
		out.Kinds = append(out.Kinds, kindOut(k))
	}
	for name, value := range m.Labels {
		out.Labels[clean(name, maxText)] = clean(value, maxText)
	}
	return out
}

func kindOut(k driver.Kind) *pb.Kind {
	return &pb.Kind{
		Name: clean(k.Name, maxName), Guarantee: pb.Guarantee(k.Guarantee) + pb.Guarantee_GUARANTEE_BEST_EFFORT,
		Strategy: clean(k.Strategy, maxName),
	}
}

func leaseOut(p driver.LeasePhase) pb.Lease { return pb.Lease(p) + pb.Lease_LEASE_VALID }

func activationOut(id driver.Identity, f driver.Fence, member driver.MemberID) *pb.Activation {
	return &pb.Activation{Kind: id.Kind, Identity: id.Name, Term: f.Term, Seq: f.Seq, Member: string(member)}
}

func identityIn(a *pb.Activation) driver.Identity {
	return driver.Identity{Kind: a.GetKind(), Name: a.GetIdentity()}
}
