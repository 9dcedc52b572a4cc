package directory

import (
	"context"
	"fmt"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	machine "github.com/granary-go/granary/internal/directory"
	pb "github.com/granary-go/granary/wire/directorypb"
)

// Explanation is what the store and a host say about an identity.
type Explanation struct {
	// Era is the number of the store's era, and Open whether it takes claims.
	Era  uint64 `json:"era,string"`
	Open bool   `json:"open"`
	// Entry is the one in the store; nil if there is none, or it did not answer.
	Entry *EntryExplanation `json:"entry,omitempty"`
	// Host is what the member of the entry has: "claiming", "running", "stopping"
	// or "releasing"; empty if it has nothing, or was not asked.
	Host      string `json:"host,omitempty"`
	HostToken string `json:"hostToken,omitempty"`
	// Problems tells who did not answer, and why.
	Problems []string `json:"problems,omitempty"`
}

// EntryExplanation is an entry of the store.
type EntryExplanation struct {
	Member  driver.MemberID `json:"member"`
	Address string          `json:"address"`
	Epoch   uint64          `json:"epoch,string"`
	Token   string          `json:"token"`
	// Verdict is "live", "void", since its member has left the view, or "newer
	// than the view".
	Verdict string `json:"verdict"`
}

// Explain asks the store, and then the member that its entry names. It activates
// nothing. Those who do not answer before ctx is done are named in the
// explanation; the error is ErrNoView or ErrClosed.
func (l *Lookup) Explain(ctx context.Context, id driver.Identity) (Explanation, error) {
	var x Explanation
	view := l.View()
	switch {
	case l.ctx.Err() != nil:
		return x, ErrClosed
	case view.Epoch == 0:
		return x, ErrNoView
	}
	era, err := l.cfg.Store.ReadEra(ctx)
	if err != nil {
		x.Problems = append(x.Problems, fmt.Sprintf("the store's era: %v", err))
	}
	x.Era, x.Open = era.Number, era.Open
	e, err := l.read(ctx, id)
	if err != nil {
		x.Problems = append(x.Problems, fmt.Sprintf("the store: %v", err))
	}
	if e.IsZero() {
		return x, nil
	}
	x.Entry = &EntryExplanation{
		Member: e.Member, Address: e.Address, Epoch: e.Epoch, Token: e.Token.String(),
		Verdict: map[machine.Verdict]string{machine.Live: "live", machine.Void: "void", machine.Unknown: "newer than the view"}[machine.Judge(view, e, era.Number)],
	}
	host, in := view.Member(e.Member)
	if !in {
		return x, nil
	}
	said, err := actor.Ask[*pb.Report](ctx, l.cfg.System.Root, pidOf(host), &pb.Inquiry{Kind: id.Kind, Name: id.Name})
	if err != nil {
		x.Problems = append(x.Problems, fmt.Sprintf("%s: %v", host.Address, err))
		return x, nil
	}
	if x.Host = said.Phase; fence(said.Token) != (driver.Fence{}) {
		x.HostToken = fence(said.Token).String()
	}
	return x, nil
}
