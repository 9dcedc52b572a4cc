package placement

import (
	"fmt"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// SlotState is what a slot is to an owner.
type SlotState uint8

const (
	// SlotNotOwned: it is another member's, or nobody's.
	SlotNotOwned SlotState = iota
	// SlotAcquiring: hosts have been asked for promises; resolves wait.
	SlotAcquiring
	// SlotOpen: it grants.
	SlotOpen
)

// String gives the words for people.
func (s SlotState) String() string {
	switch s {
	case SlotNotOwned:
		return "not owned"
	case SlotAcquiring:
		return "acquiring"
	case SlotOpen:
		return "open"
	default:
		return fmt.Sprintf("slotstate(%d)", uint8(s))
	}
}

// OwnerState is what an owner knows about one identity. It is a copy.
type OwnerState struct {
	Slot Slot
	// Epoch is the view that the owner goes by; 0 before the first.
	Epoch uint64
	State SlotState
	// Term and Seq are the slot's, of the last grant that was made in it; zero
	// if it is not owned.
	Term, Seq uint64
	// Missing are the hosts whose promise has not come, in order of seniority.
	Missing []driver.MemberID
	// Waiting counts the resolves of all identities that wait for the slot.
	Waiting int
	// Entry is what the table has of the identity; nil if nothing.
	Entry *EntryState
	// Losers are activations of the identity that have been told to stop.
	Losers []Entry
}

// EntryState is one entry in the table of an owner.
type EntryState struct {
	Phase EntryPhase
	Fence driver.Fence
	Host  driver.MemberID
	// Asking: a Spawn or a Verify is unanswered; it was sent again Resent times.
	Asking bool
	Resent int
	// Silent: nothing was heard of the host since it left a question unanswered.
	Silent bool
	// Waiting counts the resolves that wait for the host's answer.
	Waiting int
}

// EntryPhase is how far a grant has come.
type EntryPhase uint8

const (
	// EntryGranting: the host has not answered the Spawn.
	EntryGranting EntryPhase = iota + 1
	// EntryGranted: the activation is there.
	EntryGranted
	// EntryEnding: it is stopping; the next grant waits for that.
	EntryEnding
)

// String gives the words for people.
func (p EntryPhase) String() string {
	switch p {
	case EntryGranting:
		return "granting"
	case EntryGranted:
		return "granted"
	case EntryEnding:
		return "ending"
	default:
		return fmt.Sprintf("entryphase(%d)", uint8(p))
	}
}

// Explain says what the owner knows about an identity.
func (o *Owner) Explain(id driver.Identity) OwnerState {
	s := SlotOf(id)
	e := OwnerState{Slot: s, Epoch: o.view.Epoch}
	slot := o.slots[s]
	if slot == nil {
		return e
	}
	e.State, e.Term, e.Seq, e.Waiting = SlotOpen, slot.term, slot.seq, len(slot.waiters)
	for _, a := range slot.missing {
		e.State = SlotAcquiring
		e.Missing = append(e.Missing, a.host)
	}
	if g := slot.grants[id]; g != nil {
		e.Entry = o.explainEntry(g)
	}
	for l := range o.losers {
		if l.Identity == id {
			e.Losers = append(e.Losers, l.Entry)
		}
	}
	slices.SortFunc(e.Losers, compareEntries)
	return e
}

func (o *Owner) explainEntry(g *grant) *EntryState {
	phases := map[grantPhase]EntryPhase{granting: EntryGranting, granted: EntryGranted, ending: EntryEnding}
	return &EntryState{
		Phase: phases[g.phase], Fence: g.fence, Host: g.host, Asking: o.asking[g.identity] == g, Resent: g.resent,
		Silent: o.silent[g.host], Waiting: len(g.waiters),
	}
}

// HostState is what a host knows about one identity. It is a copy.
type HostState struct {
	Slot Slot
	// Epoch is the view that the host goes by; 0 before the first.
	Epoch uint64
	// Leaving: the member is leaving or in no view, and takes nothing new.
	Leaving bool
	// Lease is the phase that the host was told last.
	Lease driver.LeasePhase
	// Promised is the highest term promised for the slot, PromisedTo the owner
	// it was promised to, and Seq the highest sequence number answered in it.
	Promised   uint64
	PromisedTo driver.MemberID
	Seq        uint64
	// Phase is Absent, Running or Stopping. An activation is Running from its
	// start, as messages for it are kept until it has started.
	Phase Phase
	// Fence is the activation's token; zero if it is Absent.
	Fence driver.Fence
	// Notices are ends of the identity's activations that no owner has
	// acknowledged.
	Notices []driver.Fence
}

// Explain says what the host knows about an identity.
func (h *Host) Explain(id driver.Identity) HostState {
	s := SlotOf(id)
	slot := h.slots.at(s)
	e := HostState{
		Slot: s, Epoch: h.view.Epoch, Leaving: h.leaving || !h.known, Lease: h.lease,
		Promised: slot.promised, PromisedTo: slot.owner, Seq: slot.seq, Phase: Absent,
	}
	if a := slot.live[id]; a != nil {
		if e.Phase, e.Fence = Running, a.fence; a.stopping {
			e.Phase = Stopping
		}
	}
	var ended []Entry
	for n := range h.ended {
		if n.Identity == id {
			ended = append(ended, n)
		}
	}
	slices.SortFunc(ended, compareEntries)
	for _, n := range ended {
		e.Notices = append(e.Notices, n.Fence)
	}
	return e
}
