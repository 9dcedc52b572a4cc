package placement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// game is what does not change in a search.
type game struct {
	scope
	broken     faults
	slot       Slot
	identities []driver.Identity
	tables     []*Table
}

func newGame(sc scope, broken faults) *game {
	g := &game{scope: sc, broken: broken}
	whole := NewTable(sc.views[sc.in])
	byslot := make(map[Slot][]driver.Identity)
	for i := 0; len(g.identities) < 2; i++ {
		id := driver.Identity{Kind: "k", Name: fmt.Sprint(i)}
		s := SlotOf(id)
		if !whole.OwnedBy(s, driver.MemberID(sc.owner)) {
			continue
		}
		byslot[s] = append(byslot[s], id)
		g.slot, g.identities = s, byslot[s]
	}
	for _, v := range sc.views {
		g.tables = append(g.tables, newTable(v, slices.Values([]Slot{g.slot})))
	}
	return g
}

// exploring is one state.
type exploring struct {
	*game
	members []*explored // alive, in order of their ids
	net     []packet    // a set, in the order of their keys
	newest  [2]driver.Fence
	left    budget
	crashed bool

	violation string
	trace     *strings.Builder
}

type explored struct {
	id    driver.MemberID
	host  *Host
	owner *Owner
	seen  [2]int // views, by host and owner
}

type packet struct {
	from, to driver.MemberID
	message  Message
	key      string
}

// action is one thing that may happen.
type action struct {
	what     actionKind
	member   driver.MemberID
	view     int
	by       []machine // that see the view
	identity int
	packet   packet
}

type machine uint8

const (
	theHost machine = iota
	theOwner
)

// seers are who sees a view in one step.
func (g *game) seers() [][]machine {
	if g.apart {
		return [][]machine{{theHost}, {theOwner}}
	}
	return [][]machine{{theHost, theOwner}}
}

type actionKind uint8

const (
	actView actionKind = iota
	actDeliver
	actDouble
	actLose
	actAsk
	actSuspect
	actStop
	actStopped
	actTick
	actCrash
)

func (a action) String() string {
	p := a.packet
	switch a.what {
	case actView:
		who := "host and owner"
		if len(a.by) == 1 {
			who = [...]string{"host", "owner"}[a.by[0]]
		}
		return fmt.Sprintf("%s: %s see view %d", a.member, who, a.view+1)
	case actDeliver:
		return fmt.Sprintf("%s→%s %T %+v", p.from, p.to, p.message, brief(p.message))
	case actDouble:
		return fmt.Sprintf("%s→%s %T %+v, and once more later", p.from, p.to, p.message, brief(p.message))
	case actLose:
		return fmt.Sprintf("lost: %s→%s %T %+v", p.from, p.to, p.message, brief(p.message))
	default:
		return fmt.Sprintf("%s: %s %d", a.member, [...]string{
			actAsk: "asked for", actSuspect: "suspected:", actStop: "stops", actStopped: "has stopped",
			actTick: "tick", actCrash: "crashes",
		}[a.what], a.identity)
	}
}

func (g *game) start() *exploring {
	w := &exploring{game: g, left: g.most}
	ids := make(map[driver.MemberID]bool)
	for _, v := range g.views {
		for _, m := range v.Members {
			ids[m.ID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		m := &explored{
			id:    id,
			host:  NewHost(id, HostConfig{History: -1}),
			owner: NewOwner(id, OwnerConfig{History: -1}),
		}
		m.host.broken, m.owner.broken = g.broken, g.broken
		w.members = append(w.members, m)
	}
	for _, m := range w.members {
		if _, in := g.views[0].Member(m.id); in {
			w.do(action{what: actView, member: m.id, by: []machine{theHost, theOwner}})
		}
	}
	return w
}

func (w *exploring) member(id driver.MemberID) *explored {
	for _, m := range w.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// actions gives all that may happen next, in an order that depends on nothing
// but the state.
func (w *exploring) actions() []action {
	var out []action
	for _, p := range w.net {
		out = append(out, action{what: actDeliver, packet: p})
		if w.left.doubled > 0 {
			out = append(out, action{what: actDouble, packet: p})
		}
		if w.left.lost > 0 {
			out = append(out, action{what: actLose, packet: p})
		}
	}
	for _, m := range w.members {
		out = append(out, w.actionsOf(m)...)
	}
	return out
}

func (w *exploring) actionsOf(m *explored) []action {
	var out []action
	for _, by := range w.seers() {
		for v := m.seen[by[0]]; v < len(w.views); v++ {
			if _, in := w.views[v].Member(m.id); in && w.published(v) {
				out = append(out, action{what: actView, member: m.id, view: v, by: by})
			}
		}
	}
	if m.id == w.crashes {
		out = append(out, action{what: actCrash, member: m.id})
	}
	if w.left.ticks > 0 && (m.host.Pending() || m.owner.Pending()) {
		out = append(out, action{what: actTick, member: m.id})
	}
	slot := m.owner.slots[w.slot]
	for i, id := range w.identities {
		if slot != nil && w.left.asks > 0 {
			out = append(out, action{what: actAsk, member: m.id, identity: i})
		}
		if slot != nil && w.left.suspicions > 0 && slot.grants[id] != nil && slot.grants[id].phase == granted {
			out = append(out, action{what: actSuspect, member: m.id, identity: i})
		}
		switch a := m.host.slots.at(w.slot).live[id]; {
		case a != nil && a.stopping:
			out = append(out, action{what: actStopped, member: m.id, identity: i})
		case a != nil && w.left.stops > 0:
			out = append(out, action{what: actStop, member: m.id, identity: i})
		}
	}
	return out
}

// published: a view without the member that crashes comes after the crash,
// unless the member had not joined.
func (w *exploring) published(v int) bool {
	_, in := w.views[v].Member(w.crashes)
	return in || w.crashes == "" || w.crashed || v == 0
}

// do changes the state.
func (w *exploring) do(a action) {
	m := w.member(a.member)
	switch a.what {
	case actView:
		ev := ViewChanged{View: w.views[a.view], Table: w.tables[a.view]}
		for _, by := range a.by {
			m.seen[by] = a.view + 1
			[]func(*explored, Time, Event){w.host, w.owner}[by](m, 0, ev)
		}
	case actDeliver, actDouble, actLose:
		w.arrive(a)
	case actAsk:
		w.left.asks--
		w.owner(m, 0, Resolve{Epoch: m.owner.view.Epoch, Identity: w.identities[a.identity]})
	case actSuspect:
		w.left.suspicions--
		id := w.identities[a.identity]
		suspect := m.owner.slots[w.slot].grants[id].fence
		w.owner(m, 0, Resolve{Epoch: m.owner.view.Epoch, Identity: id, Suspect: suspect})
	case actStop:
		w.left.stops--
		id := w.identities[a.identity]
		w.host(m, 0, StopBegun{id, m.host.slots.at(w.slot).live[id].fence})
	case actStopped:
		id := w.identities[a.identity]
		w.host(m, 0, Stopped{id, m.host.slots.at(w.slot).live[id].fence})
	case actTick:
		w.left.ticks--
		w.host(m, defaultResend, Tick{})
		w.owner(m, defaultResend, Tick{})
	case actCrash:
		w.crashed = true
		w.members = slices.DeleteFunc(slices.Clone(w.members), func(o *explored) bool { return o == m })
		w.net = slices.DeleteFunc(slices.Clone(w.net), func(p packet) bool { return p.to == m.id })
	}
}

func (w *exploring) arrive(a action) {
	p := a.packet
	if a.what == actDouble {
		w.left.doubled--
	} else {
		w.net = slices.DeleteFunc(slices.Clone(w.net), func(o packet) bool { return o.key == p.key })
	}
	if a.what == actLose {
		w.left.lost--
		return
	}
	switch m, r := w.member(p.to), (Received{From: p.from, Message: p.message}); p.message.(type) {
	case *Prepare, *Spawn, *Verify, *StopOrder, *DeactivatedAck:
		w.host(m, 0, r)
	default:
		w.owner(m, 0, r)
	}
}

func (w *exploring) failf(format string, args ...any) {
	if w.violation == "" {
		w.violation = fmt.Sprintf(format, args...)
	}
}

// host steps a host and checks invariant 2.
func (w *exploring) host(m *explored, now Time, ev Event) {
	slot := m.host.slots.at(w.slot)
	before := driver.Fence{Term: slot.promised, Seq: slot.seq}
	effects := m.host.Step(now, ev)
	if after := (driver.Fence{Term: slot.promised, Seq: slot.seq}); after.Compare(before) < 0 {
		w.failf("invariant 2: %s lowered its marks from %v to %v", m.id, before, after)
	}
	w.carry(m, effects)
	for _, n := range m.host.ended {
		n.due = defaultResend
	}
}

// owner steps an owner. Times are set back to what they are after any other
// step: that something is due is what Tick stands for.
func (w *exploring) owner(m *explored, now Time, ev Event) {
	effects := m.owner.Step(now, ev)
	w.carry(m, effects)
	clear(m.owner.prepared)
	for _, g := range m.owner.asking {
		g.due, g.resent = defaultResend, min(g.resent, 2)
	}
	for l := range m.owner.losers {
		m.owner.losers[l] = defaultResend
	}
}

func (w *exploring) carry(m *explored, effects []Effect) {
	for _, effect := range effects {
		if w.trace != nil {
			w.tellEffect(m, effect)
		}
		switch e := effect.(type) {
		case Send:
			w.send(m.id, e)
		case Start:
			w.started(m, e)
		case Stop:
			w.host(m, 0, StopBegun(e))
		case Violation:
			w.failf("audit at %s: %s: %s", m.id, e.Identity, e.What)
		}
	}
}

func (w *exploring) tellEffect(m *explored, effect Effect) {
	switch e := effect.(type) {
	case Start:
		fmt.Fprintf(w.trace, "       %s starts %s %v\n", m.id, e.Identity, e.Fence)
	case Answer:
		fmt.Fprintf(w.trace, "       %s answers %d: %s %v\n", m.id, e.Outcome, e.Host, e.Fence)
	}
}

func (w *exploring) send(from driver.MemberID, e Send) {
	if w.member(e.To) == nil {
		return
	}
	if p, ok := e.Message.(*Promise); ok {
		for i := range p.Reports { // nobody tells whole ones apart
			p.Reports[i].Report = 0
		}
	}
	p := packet{from: from, to: e.To, message: e.Message}
	p.key = string(w.packetKey(nil, p))
	i, there := slices.BinarySearchFunc(w.net, p.key, func(p packet, key string) int { return strings.Compare(p.key, key) })
	if !there {
		w.net = slices.Insert(slices.Clone(w.net), i, p)
	}
}

// started checks invariants 1 and 4.
func (w *exploring) started(m *explored, e Start) {
	for _, other := range w.members {
		if a := other.host.slots.at(w.slot).live[e.Identity]; a != nil && (other != m || a.fence != e.Fence) {
			w.failf("invariant 1: %s starts %s %v while %v is active on %s", m.id, e.Identity, e.Fence, a.fence, other.id)
		}
	}
	i := slices.Index(w.identities, e.Identity)
	if e.Fence.Compare(w.newest[i]) <= 0 {
		w.failf("invariant 4: %v of %s is not above %v", e.Fence, e.Identity, w.newest[i])
	}
	w.newest[i] = e.Fence
}

// atRest checks invariant 9 if nothing is under way any more.
func (w *exploring) atRest() bool {
	if len(w.net) > 0 || w.crashes != "" && !w.crashed {
		return false
	}
	tables, hosted := make(map[Entry]driver.MemberID), 0
	for _, m := range w.members {
		if min(m.seen[theHost], m.seen[theOwner]) < len(w.views) || m.host.Pending() || m.owner.Pending() {
			return false
		}
		m.owner.Each(func(e Entry, host driver.MemberID) bool {
			tables[e] = host
			return true
		})
	}
	for _, m := range w.members {
		m.host.Each(func(e Entry, _ bool) bool {
			if hosted++; tables[e] != m.id {
				w.failf("invariant 9: %s %v on %s is in no owner's table", e.Identity, e.Fence, m.id)
			}
			return true
		})
	}
	if hosted != len(tables) {
		w.failf("invariant 9: owners know %d activations, hosts have %d", len(tables), hosted)
	}
	return true
}
