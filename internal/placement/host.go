package placement

import (
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// HostConfig sets the host machine's limits; zero values take the defaults.
type HostConfig struct {
	// Resend is how long an unacknowledged Deactivated waits before it is
	// sent again, in nanoseconds. Defaults to 200 ms.
	Resend Time
	// ReportBytes bounds the entries of one Promise message. A single slot
	// beyond it is reported in parts. Defaults to 256 KiB.
	ReportBytes int
	// History is how many transitions are remembered. Defaults to 4,096; none
	// if it is negative.
	History int
}

const (
	defaultResend      = Time(200_000_000)
	defaultReportBytes = 256 << 10
	// maxEarly bounds the messages kept until the view they speak of
	// arrives; beyond it they are dropped, as their sender sends them again.
	maxEarly = 256
)

// Host is the acceptor: what one member has promised, and what is activated
// on it.
type Host struct {
	self    driver.MemberID
	cfg     HostConfig
	view    driver.View
	known   bool
	kinds   map[string]driver.Guarantee
	leaving bool
	lease   driver.LeasePhase
	slots   hostSlots
	reports uint64
	ended   map[Entry]*notice
	early   []Received
	broken  faults

	violations int
	past       history
}

// hostSlots are the slots in pages, which are there once one of their slots has
// been spoken of.
type hostSlots [SlotCount / slotPage]*[slotPage]hostSlot

const slotPage = 64

func (p *hostSlots) at(s Slot) *hostSlot {
	page := &p[s/slotPage]
	if *page == nil {
		*page = new([slotPage]hostSlot)
	}
	return &(*page)[s%slotPage]
}

type hostSlot struct {
	// promised is the highest term promised, to whom, and the highest
	// sequence number that was answered in it. None of them goes down.
	promised uint64
	owner    driver.MemberID
	seq      uint64
	live     map[driver.Identity]*activation
}

type activation struct {
	fence    driver.Fence
	stopping bool
	lost     bool // against a newer one, and counted as a violation
}

// notice is a Deactivated that has not been acknowledged.
type notice struct{ due Time }

// NewHost makes the machine of a member that hosts nothing.
func NewHost(self driver.MemberID, cfg HostConfig) *Host {
	if cfg.Resend <= 0 {
		cfg.Resend = defaultResend
	}
	if cfg.ReportBytes <= 0 {
		cfg.ReportBytes = defaultReportBytes
	}
	return &Host{self: self, cfg: cfg, ended: make(map[Entry]*notice), past: newHistory(cfg.History)}
}

// Step takes one event and returns what is to be done about it.
func (h *Host) Step(now Time, ev Event) []Effect {
	h.past.now = now
	switch ev := ev.(type) {
	case ViewChanged:
		return h.viewChanged(ev.View)
	case Received:
		return h.received(ev)
	case StopBegun:
		return h.stopBegun(now, ev)
	case Stopped:
		return h.stopped(now, ev)
	case LeaseChanged:
		return h.leaseChanged(ev.Phase)
	case Tick:
		return h.resend(now)
	}
	return nil
}

// leaseChanged is the host's part of rule 11: with the lease all that is leased
// ends. It stays in the reports until it has stopped. A lease that has ended
// never comes back.
func (h *Host) leaseChanged(phase driver.LeasePhase) []Effect {
	if h.lease == driver.LeaseFenced {
		return nil
	}
	if h.lease = phase; phase != driver.LeaseFenced {
		return nil
	}
	var ends []Entry
	h.Each(func(e Entry, stopping bool) bool {
		if !stopping && h.kinds[e.Identity.Kind] != driver.BestEffort {
			ends = append(ends, e)
		}
		return true
	})
	slices.SortFunc(ends, compareEntries)
	out := make([]Effect, len(ends))
	for i, e := range ends {
		h.find(e.Identity, e.Fence).stopping = true
		h.past.note(e.Identity, StopOrdered, WhyLeaseEnded, e.Fence, "")
		out[i] = Stop(e)
	}
	return out
}

// Pending reports whether the machine wants a Tick.
func (h *Host) Pending() bool { return len(h.ended) > 0 }

// Each calls yield for every activation until it returns false.
func (h *Host) Each(yield func(e Entry, stopping bool) bool) {
	for _, page := range h.slots {
		if page == nil {
			continue
		}
		for s := range page {
			for id, a := range page[s].live {
				if !yield(Entry{id, a.fence}, a.stopping) {
					return
				}
			}
		}
	}
}

// Promised gives the term that the host has promised for a slot, and to whom.
func (h *Host) Promised(s Slot) (term uint64, owner driver.MemberID) {
	slot := h.slots.at(s)
	return slot.promised, slot.owner
}

func (h *Host) viewChanged(v driver.View) []Effect {
	if h.known && v.Epoch <= h.view.Epoch {
		return nil
	}
	h.view, h.known = v, true
	me, in := v.Member(h.self)
	h.leaving = !in || me.State != driver.Active
	if in { // what is still active here keeps its guarantee
		h.kinds = make(map[string]driver.Guarantee, len(me.Kinds))
		for _, k := range me.Kinds {
			h.kinds[k.Name] = k.Guarantee
		}
	}
	early := h.early
	h.early = nil
	var out []Effect
	for _, r := range early {
		out = append(out, h.received(r)...)
	}
	return out
}

func (h *Host) received(r Received) []Effect {
	if term := termOf(r.Message); !h.known || term > h.view.Epoch {
		if _, out := believed(h.view, r); out != nil {
			return out
		}
		return h.tooEarly(r, term)
	}
	if ok, out := believed(h.view, r); !ok {
		return out
	}
	switch m := r.Message.(type) {
	case *Prepare:
		return h.prepare(r.From, m)
	case *Spawn:
		return h.spawn(r.From, m)
	case *Verify:
		return []Effect{Send{r.From, h.verify(r.From, m)}}
	case *StopOrder:
		return h.stopOrdered(r.From, m)
	case *DeactivatedAck:
		for _, e := range m.Entries {
			delete(h.ended, e)
		}
	}
	return nil
}

// tooEarly keeps a message that speaks of a view this member has not seen
// until it has (rule 2).
func (h *Host) tooEarly(r Received, term uint64) []Effect {
	if len(h.early) < maxEarly {
		h.early = append(h.early, r)
	}
	return []Effect{Refresh{term}}
}

// stopOrdered is the host's half of rule 7. What it finds active has had a
// successor meanwhile, which is what the protocol is there to prevent.
func (h *Host) stopOrdered(from driver.MemberID, m *StopOrder) []Effect {
	a := h.find(m.Identity, m.Fence)
	if a == nil {
		// It has been here, as this host reported it, and comes no more.
		return []Effect{Send{from, &Deactivated{Entries: []Entry{Entry(*m)}}}}
	}
	effects := []Effect{Stop(*m)}
	if !a.lost {
		a.lost = true
		h.past.note(m.Identity, StopOrdered, WhyConflict, m.Fence, from)
		h.violations++
		effects = append(effects, Violation{m.Identity, "an activation is here that has a successor"})
	}
	return effects
}

// Violations counts the Violation effects since the machine was made.
func (h *Host) Violations() int { return h.violations }

func termOf(m Message) uint64 {
	switch m := m.(type) {
	case *Prepare:
		return m.Term
	case *Spawn:
		return m.Fence.Term
	case *Verify:
		return m.Fence.Term
	}
	return 0
}

// prepare is rule 2.
func (h *Host) prepare(from driver.MemberID, p *Prepare) []Effect {
	var stale []Slot
	var promised []Slot
	for _, s := range p.Slots {
		if s >= SlotCount {
			continue
		}
		slot := h.slots.at(s)
		switch {
		case h.broken.noPromise:
			promised = append(promised, s)
		case p.Term > slot.promised:
			slot.promised, slot.owner, slot.seq = p.Term, from, 0
			promised = append(promised, s)
		case p.Term == slot.promised && (from == slot.owner || h.broken.equalTermTwice):
			promised = append(promised, s)
		default:
			stale = append(stale, s)
		}
	}
	return h.report(from, p.Term, promised, stale)
}

// spawn is rule 3.
func (h *Host) spawn(from driver.MemberID, m *Spawn) []Effect {
	slot := h.slots.at(SlotOf(m.Identity))
	answer := &Spawned{Identity: m.Identity, Fence: m.Fence}
	effects := []Effect{Send{from, answer}}
	existing := slot.live[m.Identity]
	switch {
	case existing != nil && existing.fence == m.Fence && !h.broken.refuseResent:
		answer.Verdict = Accepted
		return effects
	case m.Fence.Term < slot.promised && !h.broken.noPromise:
		answer.Verdict = Stale
		h.past.note(m.Identity, GrantRefused, WhyStale, m.Fence, from)
		return effects
	case m.Fence.Term == slot.promised && m.Fence.Seq <= slot.seq && !h.broken.noDedupe:
		answer.Verdict, answer.Reason = Refused, Overtaken
		h.past.note(m.Identity, GrantRefused, Why(Overtaken), m.Fence, from)
		return effects
	}
	slot.raise(m.Fence, from)
	guarantee, known := h.kinds[m.Identity.Kind]
	switch {
	case existing != nil && !existing.stopping:
		answer.Verdict, answer.Existing = Exists, existing.fence
	case existing != nil:
		answer.Verdict, answer.Reason, answer.Existing = Refused, Busy, existing.fence
	case h.leaving:
		answer.Verdict, answer.Reason = Refused, HostLeaving
	case !known:
		answer.Verdict, answer.Reason = Refused, UnknownKind
	case guarantee != driver.BestEffort && h.lease != driver.LeaseValid:
		answer.Verdict, answer.Reason = Refused, LeaseEnding
	default:
		answer.Verdict = Accepted
		if slot.live == nil {
			slot.live = make(map[driver.Identity]*activation)
		}
		slot.live[m.Identity] = &activation{fence: m.Fence}
		h.past.note(m.Identity, ActivationStarted, 0, m.Fence, from)
		// Whoever hears of it finds it: it is started before it is told of.
		effects = []Effect{Start(*m), effects[0]}
	}
	if answer.Verdict != Accepted {
		h.past.note(m.Identity, GrantRefused, whyRefused(answer), m.Fence, from)
	}
	return effects
}

func whyRefused(answer *Spawned) Why {
	if answer.Verdict == Exists {
		return WhyExists
	}
	return Why(answer.Reason)
}

// raise lifts both marks to a token, and never lowers one.
func (s *hostSlot) raise(f driver.Fence, owner driver.MemberID) {
	switch {
	case f.Term > s.promised:
		s.promised, s.owner, s.seq = f.Term, owner, f.Seq
	case f.Term == s.promised && f.Seq > s.seq:
		s.seq = f.Seq
	}
}

// verify is the host's half of rule 9: before it says absent it makes sure
// that a grant still under way can no longer be accepted.
func (h *Host) verify(from driver.MemberID, m *Verify) *Verified {
	answer := &Verified{Identity: m.Identity, Fence: m.Fence, Phase: Absent}
	switch a := h.find(m.Identity, m.Fence); {
	case a == nil:
		if !h.broken.absentWithoutMark {
			h.slots.at(SlotOf(m.Identity)).raise(m.Fence, from)
		}
	case a.stopping:
		answer.Phase = Stopping
	default:
		answer.Phase = Running
	}
	return answer
}

func (h *Host) find(id driver.Identity, f driver.Fence) *activation {
	if a := h.slots.at(SlotOf(id)).live[id]; a != nil && a.fence == f {
		return a
	}
	return nil
}

// stopBegun marks an activation that takes no more messages. It stays in the
// reports until it has stopped.
func (h *Host) stopBegun(now Time, ev StopBegun) []Effect {
	a := h.find(ev.Identity, ev.Fence)
	if a == nil {
		return nil
	}
	if !a.stopping {
		h.past.note(ev.Identity, ActivationStopping, 0, ev.Fence, "")
	}
	a.stopping = true
	if h.broken.deactivateEarly {
		return h.notify(now, Entry(ev))
	}
	return nil
}

// stopped is the host's half of rule 8: only now may another activation of
// the identity begin, and the owner hears of it until it says so.
func (h *Host) stopped(now Time, ev Stopped) []Effect {
	if h.find(ev.Identity, ev.Fence) == nil {
		return nil
	}
	delete(h.slots.at(SlotOf(ev.Identity)).live, ev.Identity)
	h.past.note(ev.Identity, ActivationStopped, 0, ev.Fence, "")
	return h.notify(now, Entry(ev))
}

// notify tells the owner of the highest promised term of an end, and goes on
// telling it until it is acknowledged.
func (h *Host) notify(now Time, e Entry) []Effect {
	h.ended[e] = &notice{due: now + h.cfg.Resend}
	return []Effect{Send{h.slots.at(SlotOf(e.Identity)).owner, &Deactivated{Entries: []Entry{e}}}}
}

// resend tells the owners again of the ends they have not acknowledged. The
// owner of the highest promised term is asked each time: it may have changed.
func (h *Host) resend(now Time) []Effect {
	byOwner := make(map[driver.MemberID][]Entry)
	for e, n := range h.ended {
		owner := h.slots.at(SlotOf(e.Identity)).owner
		if _, in := h.view.Member(owner); n.due > now || !in {
			continue
		}
		n.due = now + h.cfg.Resend
		byOwner[owner] = append(byOwner[owner], e)
	}
	return sendEntries(byOwner, h.cfg.ReportBytes, func(e []Entry) Message { return &Deactivated{Entries: e} })
}
