package partition

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/placement"
)

// Limits of an explanation.
const (
	// maxTransitions is how many transitions one member tells, the last ones.
	maxTransitions = 64
	// maxMissing is how many hosts an owner names whose promise has not come.
	maxMissing = 32
	// maxExplainers is how many hosts are asked when the owner cannot tell which
	// one has the identity.
	maxExplainers = 64
	// explainersAtOnce is how many of them are asked at a time.
	explainersAtOnce = 16
)

const (
	// notOwnerTries is how often an owner is looked for that says that it is
	// none, because views have not come everywhere.
	notOwnerTries = 5
	notOwnerWait  = 100 * time.Millisecond
)

// States of a slot.
var (
	slotNotOwned  = placement.SlotNotOwned.String()
	slotAcquiring = placement.SlotAcquiring.String()
	slotOpen      = placement.SlotOpen.String()
)

// Roles of those who are asked.
const (
	roleOwner = "owner"
	roleHost  = "host"
)

// Explain asks the owner of an identity, and then its host, what they know
// about it. It activates nothing. Also is a member that the asker takes for the
// host; empty if none. Those who do not answer before ctx is done are named in
// the explanation; the error is lookup.ErrNoView or lookup.ErrClosed, or that of a ctx that
// was cancelled.
func (l *Lookup) Explain(ctx context.Context, id driver.Identity, also driver.MemberID, out *explanation.Explanation) error {
	st, err := l.awaitView(ctx)
	if err != nil {
		return err
	}
	e := inquiry{Explanation: out}
	e.Slot = int(placement.SlotOf(id))
	e.owner, st = l.explainOwner(ctx, st, id, &e)
	e.Incarnation, e.Epoch, e.Members = st.view.Incarnation, st.view.Epoch, len(st.view.Members)
	for _, m := range st.view.Members {
		if m.Hosts(id.Kind) {
			e.Hosting++
		}
	}
	l.explainHosts(ctx, st, id, also, &e)
	e.complete(st.view)
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// An inquiry is an explanation that is being put together.
type inquiry struct {
	*explanation.Explanation

	owner *ownerSays
	hosts []*hostSays
}

// ownerSays is what an owner answers, with its members' ids alone.
type ownerSays struct {
	explanation.Owner

	history []explanation.Transition
}

// hostSays is what a host answers, likewise.
type hostSays struct {
	explanation.Host

	history []explanation.Transition
}

// awaitView gives the newest view, as soon as there is one.
func (l *Lookup) awaitView(ctx context.Context) (*viewState, error) {
	for {
		st := l.state.Load()
		if l.ctx.Err() != nil {
			return nil, lookup.ErrClosed
		}
		if st.table != nil {
			return st, nil
		}
		select {
		case <-st.next:
		case <-l.ctx.Done():
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", lookup.ErrNoView, ctx.Err())
		}
	}
}

// explainOwner asks the owner, with half of the time, and gives the view that
// named it.
func (l *Lookup) explainOwner(ctx context.Context, st *viewState, id driver.Identity, e *inquiry) (*ownerSays, *viewState) {
	wait := ownerWait
	if deadline, has := ctx.Deadline(); has {
		wait = min(wait, time.Until(deadline)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for try := 1; ; try++ {
		owner, ok := st.table.Owner(placement.SlotOf(id))
		if !ok {
			return nil, st
		}
		said, err := actor.Ask[*ownerSays](ctx, l.cfg.System.Root, pidOf(owner, OwnerName), newExplainRequest(id))
		if err != nil {
			e.Silent = append(e.Silent, explanation.Silence{Member: refTo(owner), Role: roleOwner, Why: unanswered(err)})
			return nil, st
		}
		if said.State != slotNotOwned || try == notOwnerTries {
			return said, st
		}
		if said.Epoch > st.view.Epoch {
			l.cfg.Refresh(said.Epoch)
		}
		l.pause(ctx, st, nil, notOwnerWait)
		st = l.state.Load()
	}
}

// explainHosts asks those who may have the identity.
func (l *Lookup) explainHosts(ctx context.Context, st *viewState, id driver.Identity, also driver.MemberID, e *inquiry) {
	said := make([]*hostSays, len(st.view.Members))
	failures := make([]error, len(st.view.Members))
	var wg sync.WaitGroup
	slots := make(chan struct{}, explainersAtOnce)
	asked := 0
	for i, m := range st.view.Members {
		if asked == maxExplainers || !e.concerns(m.ID, also) {
			continue
		}
		asked++
		slots <- struct{}{}
		wg.Go(func() {
			said[i], failures[i] = actor.Ask[*hostSays](ctx, l.cfg.System.Root, pidOf(m, HostName), newExplainRequest(id))
			<-slots
		})
	}
	wg.Wait()
	for i, m := range st.view.Members {
		if said[i] != nil {
			e.hosts = append(e.hosts, said[i])
		} else if failures[i] != nil {
			e.Silent = append(e.Silent, explanation.Silence{Member: refTo(m), Role: roleHost, Why: unanswered(failures[i])})
		}
	}
}

// concerns reports whether a host is asked: all are if the owner cannot tell.
func (e *inquiry) concerns(host, also driver.MemberID) bool {
	switch {
	case e.owner == nil || e.owner.State != slotOpen, host == also:
		return true
	default:
		return e.owner.Entry != nil && e.owner.Entry.Host.ID == host
	}
}

// complete puts together what was said, with the addresses that those who
// answered do not tell. What was said within this process is not changed.
func (e *inquiry) complete(view driver.View) {
	named := func(r explanation.Member) explanation.Member {
		if m, in := view.Member(r.ID); in {
			r.Address = m.Address
		}
		return r
	}
	tells := func(who explanation.Member, role string, history []explanation.Transition) {
		for _, t := range history {
			t.By, t.Role = who, role
			if t.Host != nil {
				t.Host = new(named(explanation.Member{ID: t.Host.ID}))
			}
			e.History = append(e.History, t)
		}
	}
	if e.owner != nil {
		owner := e.owner.Owner
		owner.Member, owner.Missing = named(owner.Member), slices.Clone(owner.Missing)
		for i, m := range owner.Missing {
			owner.Missing[i] = named(m)
		}
		if owner.Entry != nil {
			entry := *owner.Entry
			entry.Host = named(entry.Host)
			owner.Entry = &entry
		}
		tells(owner.Member, roleOwner, e.owner.history)
		e.Owner = &owner
	}
	for _, said := range e.hosts {
		h := said.Host
		h.Member, h.PromisedTo = named(h.Member), named(h.PromisedTo)
		tells(h.Member, roleHost, said.history)
		e.Hosts = append(e.Hosts, h)
	}
	slices.SortStableFunc(e.History, func(a, b explanation.Transition) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
}

func refTo(m driver.Member) explanation.Member {
	return explanation.Member{ID: m.ID, Address: m.Address}
}

// unanswered says why somebody did not answer.
func unanswered(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

// explainRequest asks an owner or a host, which answers by ownerSays or hostSays.
type explainRequest struct {
	Identity    driver.Identity
	Transitions int
}

func newExplainRequest(id driver.Identity) *explainRequest {
	return &explainRequest{id, maxTransitions}
}
