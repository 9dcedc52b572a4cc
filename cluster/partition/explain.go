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

// Explanation is what members say about where an identity is. It marshals to
// JSON; terms and epochs, which are larger than many readers' numbers, are
// texts there.
type Explanation struct {
	// Slot is the identity's, of 4096.
	Slot int `json:"slot"`
	// Incarnation, Epoch and Members are those of the asker's view.
	Incarnation string `json:"incarnation"`
	Epoch       uint64 `json:"epoch,string"`
	Members     int    `json:"members"`
	// Hosting counts the members of the view that take new activations of the
	// kind.
	Hosting int `json:"hosting"`
	// Owner is what the owner of the slot says; nil if it did not answer, or
	// there is none.
	Owner *OwnerExplanation `json:"owner,omitempty"`
	// Hosts is what hosts say, in order of seniority: the one that the owner
	// names and the one that the asker has cached. If the owner cannot tell,
	// all members are asked, at most 64.
	Hosts []HostExplanation `json:"hosts,omitempty"`
	// Silent are those that were asked and did not answer.
	Silent []Silence `json:"silent,omitempty"`
	// History is what happened to the identity and its slot, as far as those
	// who answered remember, the latest last. Each member's clock is its own.
	History []Transition `json:"history,omitempty"`
}

// MemberRef names a member. The address is empty if it is not in the view.
type MemberRef struct {
	ID      driver.MemberID `json:"id"`
	Address string          `json:"address,omitempty"`
}

// OwnerExplanation is what an owner knows about an identity.
type OwnerExplanation struct {
	Member MemberRef `json:"member"`
	// Epoch is that of the view it goes by.
	Epoch uint64 `json:"epoch,string"`
	// State is that of the slot: "not owned", "acquiring" or "open".
	State string `json:"state"`
	// Term is the epoch at which it began to acquire the slot.
	Term uint64 `json:"term,string"`
	// Missing are the hosts whose promise has not come: the first 32 of
	// MissingCount.
	Missing      []MemberRef `json:"missing,omitempty"`
	MissingCount int         `json:"missingCount,omitempty"`
	// Waiting counts the callers that wait for the slot.
	Waiting int `json:"waiting"`
	// Entry is the identity's in the owner's table; nil if it has none.
	Entry *EntryExplanation `json:"entry,omitempty"`
	// Losers counts older activations of the identity that were found beside
	// this one and have been told to stop.
	Losers int `json:"losers,omitempty"`

	history []Transition
}

// EntryExplanation is an identity's entry in the table of an owner.
type EntryExplanation struct {
	// Phase is "granting", "granted" or "ending".
	Phase string `json:"phase"`
	// Token is the activation's fencing token, as text.
	Token string    `json:"token"`
	Host  MemberRef `json:"host"`
	// Asking is set while the host has not answered whether it takes the
	// activation, or still has it.
	Asking bool `json:"asking"`
	// Resent is how often it was asked again, and Silent is set while nothing
	// was heard of it since it left a question unanswered.
	Resent int  `json:"resent,omitempty"`
	Silent bool `json:"silent,omitempty"`
	// Waiting counts the callers that wait for that.
	Waiting int `json:"waiting"`
}

// HostExplanation is what a host knows about an identity.
type HostExplanation struct {
	Member MemberRef `json:"member"`
	// Epoch is that of the view it goes by.
	Epoch uint64 `json:"epoch,string"`
	// Promised is the highest term that it promised for the slot, PromisedTo
	// the owner, and Seq the highest sequence number that it answered in it.
	Promised   uint64    `json:"promised,string"`
	PromisedTo MemberRef `json:"promisedTo"`
	Seq        uint64    `json:"seq,string"`
	// Phase of the activation is "running" or "stopping", and Token its fencing
	// token. Both are empty if there is none. It is running from its start.
	Phase string `json:"phase,omitempty"`
	Token string `json:"token,omitempty"`
	// Notices counts ends of activations that no owner has acknowledged yet.
	Notices int `json:"notices,omitempty"`
	// Lease is the phase of the member's lease; empty if it has none.
	Lease string `json:"lease,omitempty"`
	// Leaving is set while the member takes no new activations, because it is
	// leaving or in no view.
	Leaving bool `json:"leaving,omitempty"`

	history []Transition
}

// Silence is a member that was asked and did not answer.
type Silence struct {
	Member MemberRef `json:"member"`
	// Role is "owner" or "host": as what it was asked.
	Role string `json:"role"`
	Why  string `json:"why"`
}

// Transition is something that happened to an identity, or to its slot.
type Transition struct {
	// At is by the clock of the member that tells it.
	At time.Time `json:"at"`
	// By is the member that tells it, and Role whether as "owner" or "host".
	By   MemberRef `json:"by"`
	Role string    `json:"role"`
	What string    `json:"what"`
	// Why is the reason, where there is one to tell.
	Why string `json:"why,omitempty"`
	// Token is the activation's fencing token; what happened to the slot has a
	// Term instead.
	Token string `json:"token,omitempty"`
	Term  uint64 `json:"term,omitempty,string"`
	// Host is the other member that it happened with, if any.
	Host *MemberRef `json:"host,omitempty"`
}

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
// the explanation; the error is ErrNoView or ErrClosed, or that of a ctx that
// was cancelled.
func (l *Lookup) Explain(ctx context.Context, id driver.Identity, also driver.MemberID) (Explanation, error) {
	st, err := l.awaitView(ctx)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Slot: int(placement.SlotOf(id))}
	e.Owner, st = l.explainOwner(ctx, st, id, &e)
	e.Incarnation, e.Epoch, e.Members = st.view.Incarnation, st.view.Epoch, len(st.view.Members)
	for _, m := range st.view.Members {
		if m.Hosts(id.Kind) {
			e.Hosting++
		}
	}
	l.explainHosts(ctx, st, id, also, &e)
	e.complete(st.view)
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return e, err
	}
	return e, nil
}

// awaitView gives the newest view, as soon as there is one.
func (l *Lookup) awaitView(ctx context.Context) (*viewState, error) {
	for {
		st := l.state.Load()
		if l.ctx.Err() != nil {
			return nil, ErrClosed
		}
		if st.table != nil {
			return st, nil
		}
		select {
		case <-st.next:
		case <-l.ctx.Done():
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNoView, ctx.Err())
		}
	}
}

// explainOwner asks the owner, with half of the time, and gives the view that
// named it.
func (l *Lookup) explainOwner(ctx context.Context, st *viewState, id driver.Identity, e *Explanation) (*OwnerExplanation, *viewState) {
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
		said, err := actor.Ask[*OwnerExplanation](ctx, l.cfg.System.Root, pidOf(owner, OwnerName), newExplainRequest(id))
		if err != nil {
			e.Silent = append(e.Silent, Silence{refTo(owner), roleOwner, unanswered(err)})
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
func (l *Lookup) explainHosts(ctx context.Context, st *viewState, id driver.Identity, also driver.MemberID, e *Explanation) {
	said := make([]*HostExplanation, len(st.view.Members))
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
			said[i], failures[i] = actor.Ask[*HostExplanation](ctx, l.cfg.System.Root, pidOf(m, HostName), newExplainRequest(id))
			<-slots
		})
	}
	wg.Wait()
	for i, m := range st.view.Members {
		if said[i] != nil {
			e.Hosts = append(e.Hosts, *said[i])
		} else if failures[i] != nil {
			e.Silent = append(e.Silent, Silence{refTo(m), roleHost, unanswered(failures[i])})
		}
	}
}

// concerns reports whether a host is asked: all are if the owner cannot tell.
func (e *Explanation) concerns(host, also driver.MemberID) bool {
	switch {
	case e.Owner == nil || e.Owner.State != slotOpen, host == also:
		return true
	default:
		return e.Owner.Entry != nil && e.Owner.Entry.Host.ID == host
	}
}

// complete puts the histories together, and fills in the addresses that those
// who answered do not tell.
func (e *Explanation) complete(view driver.View) {
	named := func(r *MemberRef) {
		if m, in := view.Member(r.ID); in {
			r.Address = m.Address
		}
	}
	tells := func(who MemberRef, role string, history []Transition) {
		for _, t := range history {
			t.By, t.Role = who, role
			if t.Host != nil {
				t.Host = &MemberRef{ID: t.Host.ID}
				named(t.Host)
			}
			e.History = append(e.History, t)
		}
	}
	if e.Owner != nil {
		owner := *e.Owner // what was said within this process is not changed
		owner.Missing = slices.Clone(owner.Missing)
		named(&owner.Member)
		for i := range owner.Missing {
			named(&owner.Missing[i])
		}
		if owner.Entry != nil {
			entry := *owner.Entry
			named(&entry.Host)
			owner.Entry = &entry
		}
		tells(owner.Member, roleOwner, owner.history)
		owner.history = nil
		e.Owner = &owner
	}
	for i := range e.Hosts {
		h := &e.Hosts[i]
		named(&h.Member)
		named(&h.PromisedTo)
		tells(h.Member, roleHost, h.history)
		h.history = nil
	}
	slices.SortStableFunc(e.History, func(a, b Transition) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
}

func refTo(m driver.Member) MemberRef { return MemberRef{m.ID, m.Address} }

// unanswered says why somebody did not answer.
func unanswered(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

// explainRequest asks an owner or a host; an OwnerExplanation or a
// HostExplanation answers it, with its members' ids alone.
type explainRequest struct {
	Identity    driver.Identity
	Transitions int
}

func newExplainRequest(id driver.Identity) *explainRequest {
	return &explainRequest{id, maxTransitions}
}
