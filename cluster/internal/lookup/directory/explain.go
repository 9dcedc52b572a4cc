package directory

import (
	"context"
	"fmt"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/cluster/internal/lookup"
	pb "github.com/granary-go/granary/cluster/internal/lookup/directorypb"
	machine "github.com/granary-go/granary/internal/directory"
)

// Explain asks the store, and then the member that its entry names. It activates
// nothing. Those who do not answer before ctx is done are named in the
// explanation; the error is lookup.ErrNoView or lookup.ErrClosed.
func (l *Lookup) Explain(ctx context.Context, id driver.Identity) (explanation.Store, error) {
	var x explanation.Store
	view := l.View()
	switch {
	case l.ctx.Err() != nil:
		return x, lookup.ErrClosed
	case view.Epoch == 0:
		return x, lookup.ErrNoView
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
	x.Entry = &explanation.StoreEntry{
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
