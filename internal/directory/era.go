package directory

import (
	"maps"
	"slices"
	"strconv"

	"github.com/granary-go/granary/cluster/driver"
)

// keeper is what a member knows of the store's era (rule 8).
type keeper struct {
	era    driver.EraID // joined, or being joined
	open   bool         // claims are made in it
	opened bool         // by this member
	begun  int          // counts the eras that this member has begun
	// seenOpen: the record has been read as open.
	seenOpen bool
	// written: all that this member hosts has been written back into the era.
	written bool
	// record is as it was read last.
	record driver.Era
	// busy: an operation is under way; else the record is read at due.
	busy      bool
	restoring bool
	due       Time
	// doubted: an operation was refused in this era.
	doubted bool
	began   Time // when the era was adopted
	missed  Time // since when a new era is needed; 0 if none is
}

// stampTime is how long the one who begins an era may take to let all parts of
// the store know of it.
const stampTime = 10 // times the poll

// doubt stops the claims until it is known what has become of the era.
func (h *Host) doubt(now Time) {
	k := &h.keeper
	if !k.doubted {
		k.doubted = true
		h.close()
	}
	k.due = min(k.due, now)
}

func (h *Host) close() {
	if h.keeper.open {
		h.keeper.open, h.keeper.opened = false, false
		h.do(EraChanged{Era: h.keeper.era})
	}
}

func (h *Host) eraRead(now Time, ev EraRead) {
	k := &h.keeper
	k.busy = false
	if ev.Result != Done {
		k.due = now + h.cfg.Resend
		return
	}
	k.record = ev.Record
	k.due = now + h.cfg.Poll
	if !h.in || h.lease == driver.LeaseFenced {
		return
	}
	switch r := ev.Record; {
	case r.Number == 0, r.Incarnation != h.view.Incarnation, r.EraID == k.era && k.doubted:
		h.begin(now, ev.UnixMilli)
	case r.EraID != k.era && r.Number <= k.era.Number: // founded in ignorance of this member's
		h.begin(now, ev.UnixMilli)
	case r.EraID == k.era && k.seenOpen && !r.Open: // no era is closed again: the store is another
		h.begin(now, ev.UnixMilli)
	case r.EraID == k.era:
		h.progress(now, ev.UnixMilli)
	case r.Open && h.hosts():
		// It was opened without what is here, which cannot be (rule 9).
		h.violate(driver.Identity{}, "an era was opened without this member")
		h.begin(now, ev.UnixMilli)
	default:
		h.adopt(now, r)
		h.progress(now, ev.UnixMilli)
	}
}

func (h *Host) hosts() (some bool) {
	h.Each(func(driver.Identity, driver.Fence) bool {
		some = true
		return false
	})
	return some
}

func (h *Host) violate(id driver.Identity, what string) {
	h.violations++
	h.do(Violation{id, what})
}

// begin begins a new era, if nobody before this member does.
func (h *Host) begin(now Time, clock uint64) {
	k := &h.keeper
	h.close()
	if k.missed == 0 {
		k.missed = now
	}
	if at := k.missed + h.rank()*h.cfg.Rank; now < at {
		k.due = min(at, now+h.cfg.Poll/10)
		return
	}
	number := max(clock, k.record.Number+1, k.era.Number+1)
	if h.broken.eraBack {
		number = clock
	}
	k.missed, k.busy = 0, true
	k.begun++
	id := driver.EraID{Number: number, Founder: string(h.self) + "-" + strconv.Itoa(k.begun)}
	if h.broken.noFounder {
		id.Founder = ""
	}
	h.do(WriteEra{k.record, driver.Era{EraID: id, Incarnation: h.view.Incarnation}})
}

// adopt makes a new era this member's. Claims of earlier ones are given up.
func (h *Host) adopt(now Time, r driver.Era) {
	k := &h.keeper
	h.close()
	k.era, k.began, k.missed, k.doubted, k.seenOpen = r.EraID, now, 0, false, false
	k.written = r.Open // a newcomer has nothing to write
	h.do(EraChanged{Era: k.era})
	for _, id := range slices.SortedFunc(maps.Keys(h.places), byName) {
		if p := h.places[id]; p.phase == claiming {
			h.giveUp(id, p, Answer{Outcome: Wait, Why: whyEra})
		}
	}
}

// progress takes the era that this member knows one step further.
func (h *Host) progress(now Time, clock uint64) {
	k := &h.keeper
	k.missed = 0
	switch {
	case k.record.Open && !k.written && h.hosts():
		h.violate(driver.Identity{}, "an era was opened before this member had written back what it hosts")
		h.begin(now, clock)
	case k.record.Open:
		k.written, k.seenOpen = true, true
		if !k.open {
			k.open = true
			h.do(EraChanged{Era: k.era, Open: true, Mine: k.opened})
		}
	case !k.written && !h.broken.joinUnwritten:
		h.restore(now)
	case !slices.Contains(k.record.Joined, h.self):
		next := k.record
		next.Joined = append(slices.Clone(next.Joined), h.self)
		h.write(next)
	case h.allJoined() && now >= k.began+h.rank()*h.cfg.Rank:
		next := k.record
		next.Open = true
		k.opened = true
		h.write(next)
	default:
		k.due = now + h.cfg.Poll/10
	}
}

func (h *Host) write(next driver.Era) {
	h.keeper.busy = true
	h.do(WriteEra{h.keeper.record, next})
}

func (h *Host) allJoined() bool {
	if h.broken.openEarly {
		return true
	}
	for _, m := range h.view.Members {
		if !slices.Contains(h.keeper.record.Joined, m.ID) {
			return false
		}
	}
	return true
}

func (h *Host) eraWritten(now Time, ev EraWritten) {
	k := &h.keeper
	k.busy = false
	if k.due = now; ev.Result == Failed {
		k.due = now + h.cfg.Resend
	}
}

// restore writes back what is here, stopping or not.
func (h *Host) restore(now Time) {
	k := &h.keeper
	var entries []driver.Entry
	h.Each(func(id driver.Identity, token driver.Fence) bool {
		if h.places[id].phase == running || !h.broken.omitStopping {
			entries = append(entries, h.entry(id, token))
		}
		return true
	})
	if len(entries) == 0 {
		k.written, k.due = true, now
		return
	}
	slices.SortFunc(entries, func(a, b driver.Entry) int { return byName(a.Identity, b.Identity) })
	k.busy, k.restoring = true, true
	h.do(Restore{entries})
}

func (h *Host) restoreEnded(now Time, ev RestoreEnded) {
	k := &h.keeper
	k.busy, k.restoring = false, false
	switch ev.Result {
	case Done:
		k.written, k.due = true, now
	case WrongEra:
		// Perhaps the one who began it has not told all parts of the store yet.
		k.doubted = now >= k.began+stampTime*h.cfg.Poll
		k.due = now + h.cfg.Poll/10
	default:
		k.due = now + h.cfg.Resend
	}
	for _, e := range ev.Kept {
		h.outdone(e)
	}
}

// outdone is rule 10.
func (h *Host) outdone(by driver.Entry) {
	p := h.places[by.Identity]
	if p == nil || p.phase != running && p.phase != stopping || p.token.Compare(by.Token) >= 0 {
		return
	}
	h.violate(by.Identity, "an activation is here that has a successor")
	if p.phase == running {
		p.phase = stopping
		h.do(Stop{by.Identity, p.token})
	}
}

func byName(a, b driver.Identity) int {
	if a.Kind != b.Kind {
		if a.Kind < b.Kind {
			return -1
		}
		return 1
	}
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	default:
		return 0
	}
}
