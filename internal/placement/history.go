package placement

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// Transition is something that happened to an identity, or to its slot, in the
// eyes of one machine.
type Transition struct {
	// At is the machine's time of the step.
	At   Time
	What What
	// Why is set for refusals, for ends, and where it is not the usual.
	Why Why
	// Fence is the activation's token; of a slot only the term is set.
	Fence driver.Fence
	// Host is the member that an owner speaks of, or the owner that made the
	// host do it; empty if it was nobody.
	Host driver.MemberID
}

// What is the kind of a [Transition].
type What uint8

const (
	// SlotAcquired: the owner began to ask for promises of a new term.
	SlotAcquired What = iota + 1
	// SlotOpened: all hosts have promised it.
	SlotOpened
	// SlotLost: the slot is another owner's, or is acquired anew.
	SlotLost
	// GrantMade: the owner gave the identity to Host.
	GrantMade
	// GrantSettled: the activation is there.
	GrantSettled
	// GrantRefused: the host will never accept that grant.
	GrantRefused
	// GrantEnded: the owner's entry has ended.
	GrantEnded
	// StopOrdered: the activation is to stop, though its user did not ask for
	// it.
	StopOrdered
	// ActivationStarted: the host accepted a grant of Host.
	ActivationStarted
	// ActivationStopping: it takes no more messages.
	ActivationStopping
	// ActivationStopped: its last handler has returned.
	ActivationStopped
)

var whats = [...]string{
	SlotAcquired: "slot acquired", SlotOpened: "slot opened", SlotLost: "slot lost",
	GrantMade: "granted", GrantSettled: "settled", GrantRefused: "refused", GrantEnded: "ended", StopOrdered: "stop ordered",
	ActivationStarted: "started", ActivationStopping: "stop begun", ActivationStopped: "stopped",
}

// String gives the words for people.
func (w What) String() string {
	if int(w) < len(whats) && whats[w] != "" {
		return whats[w]
	}
	return fmt.Sprintf("what(%d)", uint8(w))
}

// Why is the reason of a [Transition]; the reasons of a refusal have the numbers
// of [Reason].
type Why uint8

const (
	// WhyStale: the host has promised a higher term.
	WhyStale Why = iota + 16
	// WhyExists: the host has another activation.
	WhyExists
	// WhyReported: a host reported the activation when the slot was acquired.
	WhyReported
	// WhyDeactivated: the host told that the activation has stopped.
	WhyDeactivated
	// WhyAbsent: the host was asked and does not have it.
	WhyAbsent
	// WhyHostGone: the host is no longer in the view.
	WhyHostGone
	// WhyConflict: there is a newer activation of the identity.
	WhyConflict
	// WhyLeaseEnded: the member's lease has ended.
	WhyLeaseEnded
)

var whys = [...]string{
	Overtaken: "a later grant came first", Busy: "the former activation is still stopping",
	UnknownKind: "the host does not have the kind", HostLeaving: "the host is leaving",
	LeaseEnding: "the host's lease is ending",
	WhyStale:    "the host has promised a later owner", WhyExists: "the host has another activation",
	WhyReported: "reported by the host", WhyDeactivated: "the host says that it has stopped",
	WhyAbsent: "the host does not have it", WhyHostGone: "the host is gone",
	WhyConflict: "there is a newer activation", WhyLeaseEnded: "the lease has ended",
}

// String gives the words for people; empty for zero.
func (w Why) String() string {
	switch {
	case w == 0:
		return ""
	case int(w) < len(whys) && whys[w] != "":
		return whys[w]
	default:
		return fmt.Sprintf("why(%d)", uint8(w))
	}
}

const (
	// defaultHistory is how many transitions of identities a machine
	// remembers.
	defaultHistory = 4096
	// slotHistory is how many it remembers of each slot: twice lost, acquired
	// and opened.
	slotHistory = 6
)

// history remembers the last transitions of a machine. Those of slots come by
// the thousand when the view changes: each slot has its own, so that they do
// not drive out one another.
type history struct {
	now        Time
	count      uint64
	identities ring
	slots      map[Slot]*slotPast
}

func newHistory(limit int) history {
	switch {
	case limit == 0:
		limit = defaultHistory
	case limit < 0:
		limit = 0
	}
	return history{identities: ring{limit: limit}}
}

// ring grows to its limit and then forgets the oldest.
type ring struct {
	limit int
	next  int
	past  []remembered
}

type remembered struct {
	Transition
	n        uint64
	identity driver.Identity
}

// slotPast is a ring of its own, as most machines have thousands of them.
type slotPast struct {
	last [slotHistory]rememberedSlot
	next uint8
}

type rememberedSlot struct {
	at      Time
	n, term uint64
	what    What
}

func (r *ring) add() *remembered {
	if len(r.past) < r.limit {
		r.past = append(r.past, remembered{})
		return &r.past[len(r.past)-1]
	}
	oldest := &r.past[r.next]
	if r.next++; r.next == r.limit {
		r.next = 0
	}
	return oldest
}

// note remembers what happened to an identity.
func (h *history) note(id driver.Identity, what What, why Why, f driver.Fence, host driver.MemberID) {
	if h.identities.limit == 0 {
		return
	}
	h.count++
	e := h.identities.add()
	e.At, e.What, e.Why, e.Fence, e.Host = h.now, what, why, f, host
	e.n, e.identity = h.count, id
}

// noteSlot remembers what happened to a slot.
func (h *history) noteSlot(s Slot, what What, term uint64) {
	if h.identities.limit == 0 {
		return
	}
	past := h.slots[s]
	if past == nil {
		if h.slots == nil {
			h.slots = make(map[Slot]*slotPast)
		}
		past = new(slotPast)
		h.slots[s] = past
	}
	h.count++
	past.last[past.next] = rememberedSlot{h.now, h.count, term, what}
	past.next = (past.next + 1) % slotHistory
}

// note remembers what happened to a grant.
func (o *Owner) note(g *grant, what What, why Why) {
	o.past.note(g.identity, what, why, g.fence, g.host)
}

// of gives the last transitions of an identity and its slot, the latest last.
func (h *history) of(id driver.Identity, limit int) []Transition {
	var found []remembered
	for _, e := range h.identities.past {
		if e.identity == id {
			found = append(found, e)
		}
	}
	if past := h.slots[SlotOf(id)]; past != nil {
		for _, e := range past.last {
			if e.what != 0 {
				t := Transition{At: e.at, What: e.what, Fence: driver.Fence{Term: e.term}}
				found = append(found, remembered{Transition: t, n: e.n})
			}
		}
	}
	slices.SortFunc(found, func(a, b remembered) int { return cmp.Compare(a.n, b.n) })
	if limit > 0 && len(found) > limit {
		found = found[len(found)-limit:]
	}
	out := make([]Transition, len(found))
	for i, e := range found {
		out[i] = e.Transition
	}
	return out
}

// History gives the last transitions of an identity and its slot at this owner,
// the latest last, at most limit of them; all that are remembered if limit is 0.
// The owner remembers the last 4,096 of all identities, and the last six of
// each slot.
func (o *Owner) History(id driver.Identity, limit int) []Transition { return o.past.of(id, limit) }

// History gives the last transitions of an identity on this host, the latest
// last, at most limit of them; all that are remembered if limit is 0. The host
// remembers the last 4,096 of all identities.
func (h *Host) History(id driver.Identity, limit int) []Transition { return h.past.of(id, limit) }
