package placement

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// OwnerConfig sets the owner machine's limits and choices; zero values take
// the defaults.
type OwnerConfig struct {
	// Resend is how long an unanswered Prepare, Spawn or Verify waits before
	// it is sent again, in nanoseconds. Defaults to 200 ms.
	Resend Time
	// MaxWaiting bounds the resolves that wait at one time; beyond it one
	// that would have to wait is answered Wait at once. Defaults to 100,000.
	MaxWaiting int
	// Patience is how long a resolve may wait, in nanoseconds, before it is
	// answered Wait at the next Tick. It should be longer than askers wait,
	// who otherwise ask in vain. Defaults to 10 s.
	Patience Time
	// Pick chooses a host; nil is round robin per kind.
	Pick Pick
	// History is how many transitions of identities are remembered, beside the
	// last six of each slot. Defaults to 4,096; none of either if it is negative.
	History int
}

// Pick chooses the host of a new activation among the members that can take
// it: hosts is never empty, in order of seniority; turn counts the choices
// made for the kind, from a start that differs from owner to owner; hint is a member that the caller would like, or empty.
// It returns an index into hosts; one out of range is taken modulo its length.
type Pick func(id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID) int

// RoundRobin takes the hosts in turn.
func RoundRobin(_ driver.Identity, hosts []driver.Member, turn uint64, _ driver.MemberID) int {
	return int(turn % uint64(len(hosts)))
}

const (
	defaultMaxWaiting = 100_000
	defaultPatience   = Time(10_000_000_000)
	// maxPrepare bounds the slots of one Prepare. A host answers each in one
	// step: with many identities its first reports are on their way while it
	// makes the next, and whoever else wants something of it has a turn.
	maxPrepare = 64
	// maxPauses is how many times Resend the pause before a Prepare is sent
	// again gets.
	maxPauses = 16
)

// Owner remembers where the identities of one member's slots are, and grants
// new activations.
type Owner struct {
	self  driver.MemberID
	cfg   OwnerConfig
	view  driver.View
	known bool
	table *Table
	slots map[Slot]*ownedSlot
	hosts map[string][]driver.Member
	turns map[string]uint64
	// waiting counts the resolves in all queues; early is the queue of those
	// who go by a view that has not come here yet.
	waiting   int
	early     queue
	deadlines []*waiter
	// acquiring and asking hold what may have to be sent again: slots that
	// are not open, and grants with an unanswered Spawn or Verify.
	acquiring map[Slot]bool
	asking    map[driver.Identity]*grant
	prepared  map[driver.MemberID]asked
	// silent are hosts that left a question unanswered for more than one
	// resend and have not been heard of since: new activations go elsewhere
	// while there is an elsewhere.
	silent map[driver.MemberID]bool
	// losers are activations that have to stop, with the time at which their
	// hosts are told again.
	losers     map[loser]Time
	violations int
	past       history
	broken     faults
}

// ownedSlot is a slot in acquisition (missing is not empty) or open.
type ownedSlot struct {
	term, seq uint64
	// missing are the hosts whose promise has not come.
	missing []awaited
	grants  map[driver.Identity]*grant
	waiters queue
}

// awaited is a host whose promise has not come, or only in part.
type awaited struct {
	host driver.MemberID
	got  *partial
}

// awaits finds a host among those whose promise has not come; -1 if it is not.
func (s *ownedSlot) awaits(host driver.MemberID) int {
	return slices.IndexFunc(s.missing, func(a awaited) bool { return a.host == host })
}

// asked says when a host that has not promised everything is asked again. A
// loaded host that is asked for the same reports again and again has more and
// more to do, and so has the owner: the pause doubles each time, and starts
// over in the next view.
type asked struct{ due, pause Time }

func (a asked) again(now, resend Time) asked {
	a.pause = min(max(2*a.pause, resend), maxPauses*resend)
	a.due = now + a.pause
	return a
}

// answering puts off the next time: more answers may be under way.
func (a asked) answering(now Time) asked {
	a.due = now + a.pause
	return a
}

// partial collects the parts of one report.
type partial struct {
	report uint64
	parts  map[uint32][]Entry
}

// grant is one identity's entry in the table of an owner.
type grant struct {
	identity driver.Identity
	fence    driver.Fence
	host     driver.MemberID
	phase    grantPhase
	// verifying is set while a Verify is unanswered.
	verifying bool
	due       Time
	resent    int
	waiters   queue
	// avoid are members that have refused the identity since the first of
	// the waiters asked: they will not take it in this view.
	avoid []driver.MemberID
}

type grantPhase uint8

const (
	granting grantPhase = iota
	granted
	ending
)

// NewOwner makes the machine of a member that owns nothing yet.
func NewOwner(self driver.MemberID, cfg OwnerConfig) *Owner {
	if cfg.Resend <= 0 {
		cfg.Resend = defaultResend
	}
	if cfg.MaxWaiting <= 0 {
		cfg.MaxWaiting = defaultMaxWaiting
	}
	if cfg.Patience <= 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.Pick == nil {
		cfg.Pick = RoundRobin
	}
	return &Owner{
		self: self, cfg: cfg, slots: make(map[Slot]*ownedSlot), turns: make(map[string]uint64),
		acquiring: make(map[Slot]bool), asking: make(map[driver.Identity]*grant),
		prepared: make(map[driver.MemberID]asked), silent: make(map[driver.MemberID]bool),
		losers: make(map[loser]Time),
		past:   newHistory(cfg.History),
	}
}

// Step takes one event and returns what is to be done about it.
func (o *Owner) Step(now Time, ev Event) []Effect {
	o.past.now = now
	switch ev := ev.(type) {
	case ViewChanged:
		return o.viewChanged(now, ev)
	case Resolve:
		return o.resolve(now, &waiter{Resolve: ev})
	case Received:
		return o.received(now, ev)
	case Tick:
		return slices.Concat(o.expire(now), o.resend(now), o.stopLosers(now))
	}
	return nil
}

// Pending reports whether the machine wants a Tick.
func (o *Owner) Pending() bool { return len(o.acquiring)+len(o.asking)+len(o.losers)+o.waiting > 0 }

// Acquiring counts the slots that are owned and not open yet.
func (o *Owner) Acquiring() int { return len(o.acquiring) }

// Each calls yield for every activation in the tables of open slots until it
// returns false.
func (o *Owner) Each(yield func(e Entry, host driver.MemberID) bool) {
	for _, s := range o.slots {
		if len(s.missing) > 0 {
			continue
		}
		for id, g := range s.grants {
			if !yield(Entry{id, g.fence}, g.host) {
				return
			}
		}
	}
}

// viewChanged is rule 1: a slot that was owned in the view before keeps its
// term and does not pause; one that was not is acquired.
func (o *Owner) viewChanged(now Time, ev ViewChanged) []Effect {
	v := ev.View
	if o.known && v.Epoch <= o.view.Epoch {
		return nil
	}
	sawPrevious := o.known && o.broken.keepOverSkipped || o.known && v.Previous == o.view.Epoch && v.Incarnation == o.view.Incarnation
	gone := slices.ContainsFunc(o.view.Members, func(m driver.Member) bool { _, in := v.Member(m.ID); return !in })
	o.view, o.known, o.hosts = v, true, nil
	if o.table = ev.Table; o.table == nil {
		o.table = NewTable(v)
	}
	maps.DeleteFunc(o.silent, func(id driver.MemberID, _ bool) bool { _, in := v.Member(id); return !in })
	maps.DeleteFunc(o.losers, func(l loser, _ Time) bool { _, in := v.Member(l.host); return !in })
	var out []Effect
	for _, s := range o.concerned() {
		switch mine := o.table.OwnedBy(s, o.self); {
		case mine && sawPrevious && o.slots[s] != nil:
			if gone {
				out = append(out, o.retain(now, s)...)
			}
		case mine:
			out = append(out, o.disown(s)...)
			o.acquire(s)
		default:
			out = append(out, o.disown(s)...)
		}
	}
	clear(o.prepared)
	out = append(out, o.prepare(now)...)
	for _, w := range o.early.take() {
		out = append(out, o.resolve(now, w)...)
	}
	return out
}

// concerned gives the slots that are this owner's or were, in ascending order.
func (o *Owner) concerned() []Slot {
	mine := o.table.ownedBy(o.self)
	slots := make([]Slot, len(mine), len(mine)+len(o.slots))
	copy(slots, mine)
	for s := range o.slots {
		if !o.table.OwnedBy(s, o.self) {
			slots = append(slots, s)
		}
	}
	slices.Sort(slots)
	return slots
}

// retain drops what was on members that are gone; nothing else of a retained
// slot changes, and nothing at all if all are still there.
func (o *Owner) retain(now Time, s Slot) []Effect {
	slot := o.slots[s]
	var out []Effect
	lost := slot.where(func(g *grant) bool { _, in := o.view.Member(g.host); return !in })
	for _, g := range lost {
		o.note(g, GrantEnded, WhyHostGone)
		out = append(out, o.regrant(now, slot, g, "")...)
	}
	if len(slot.missing) > 0 {
		slot.missing = slices.DeleteFunc(slot.missing, func(a awaited) bool {
			_, in := o.view.Member(a.host)
			return !in
		})
		if len(slot.missing) == 0 {
			out = append(out, o.open(now, s)...)
		}
	}
	return out
}

// disown forgets a slot; whoever waits for it is told to ask its new owner.
func (o *Owner) disown(s Slot) []Effect {
	slot := o.slots[s]
	if slot == nil {
		return nil
	}
	o.past.noteSlot(s, SlotLost, slot.term)
	var out []Effect
	for _, g := range slot.where(func(g *grant) bool { return o.asking[g.identity] == g }) {
		delete(o.asking, g.identity)
		out = append(out, o.dismiss(&g.waiters, NotOwner)...)
	}
	out = append(out, o.dismiss(&slot.waiters, NotOwner)...)
	maps.DeleteFunc(o.losers, func(l loser, _ Time) bool { return SlotOf(l.Identity) == s })
	delete(o.slots, s)
	delete(o.acquiring, s)
	return out
}

// where gives the grants that match, in identity order: what a machine does
// must not depend on the order of a map.
func (s *ownedSlot) where(match func(*grant) bool) []*grant {
	var out []*grant
	for _, g := range s.grants {
		if match(g) {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, compareGrants)
	return out
}

func compareGrants(a, b *grant) int {
	return compareEntries(Entry{a.identity, a.fence}, Entry{b.identity, b.fence})
}

func (o *Owner) received(now Time, r Received) []Effect {
	if ok, out := believed(o.view, r); !ok {
		return out
	}
	delete(o.silent, r.From)
	switch m := r.Message.(type) {
	case *Promise:
		return o.promise(now, r.From, m)
	case *Spawned:
		return o.spawned(now, r.From, m)
	case *Deactivated:
		return o.deactivated(now, r.From, m)
	case *Verified:
		return o.verified(now, r.From, m)
	}
	return nil
}

// resend asks again for what has not been answered.
func (o *Owner) resend(now Time) []Effect {
	out := o.prepare(now)
	var due []*grant
	for _, g := range o.asking {
		if g.due <= now {
			due = append(due, g)
		}
	}
	slices.SortFunc(due, compareGrants)
	for _, g := range due {
		g.due = now + o.cfg.Resend
		if g.resent++; g.resent > 1 {
			o.silent[g.host] = true
		}
		if o.broken.grantAfterTimeout && g.phase == granting && g.resent > 1 {
			out = append(out, o.regrant(now, o.slots[SlotOf(g.identity)], g, g.host)...)
			continue
		}
		out = append(out, Send{g.host, g.question()})
	}
	return out
}

func (g *grant) question() Message {
	if g.phase == granting {
		return &Spawn{Identity: g.identity, Fence: g.fence}
	}
	return &Verify{Identity: g.identity, Fence: g.fence}
}

func compareIDs(a, b driver.MemberID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func sortedKeys[V any](m map[driver.MemberID]V) []driver.MemberID {
	return slices.Sorted(maps.Keys(m))
}
