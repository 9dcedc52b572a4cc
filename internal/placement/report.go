package placement

import (
	"slices"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// report splits what the slots hold into messages of bounded size. A slot
// that fits stands whole in one of them.
func (h *Host) report(to driver.MemberID, term uint64, slots, stale []Slot) []Effect {
	h.reports++
	var out []Effect
	current, size := &Promise{Term: term, Stale: stale}, 0
	flush := func() {
		out = append(out, Send{to, current})
		current, size = &Promise{Term: term}, 0
	}
	for _, s := range slots {
		if len(h.slots.at(s).live) == 0 {
			current.Empty = append(current.Empty, s)
			continue
		}
		parts := h.parts(s)
		for i, entries := range parts {
			bytes := sizeOf(entries)
			if size > 0 && size+bytes > h.cfg.ReportBytes {
				flush()
			}
			size += bytes
			current.Reports = append(current.Reports, SlotReport{
				Slot: s, Report: h.reports, Part: uint32(i), Parts: uint32(len(parts)), Entries: entries,
			})
		}
	}
	if len(current.Reports)+len(current.Empty)+len(current.Stale) > 0 {
		flush()
	}
	return out
}

// parts gives the activations of a slot in identity order, cut so that each
// part keeps to the limit.
func (h *Host) parts(s Slot) [][]Entry {
	entries := make([]Entry, 0, len(h.slots.at(s).live))
	for id, a := range h.slots.at(s).live {
		if !a.stopping || !h.broken.omitStopping {
			entries = append(entries, Entry{id, a.fence})
		}
	}
	slices.SortFunc(entries, compareEntries)
	var parts [][]Entry
	start, size := 0, 0
	for i, e := range entries {
		bytes := entrySize(e)
		if size > 0 && size+bytes > h.cfg.ReportBytes {
			parts = append(parts, entries[start:i])
			start, size = i, 0
		}
		size += bytes
	}
	return append(parts, entries[start:])
}

func compareEntries(a, b Entry) int {
	if c := strings.Compare(a.Identity.Kind, b.Identity.Kind); c != 0 {
		return c
	}
	if c := strings.Compare(a.Identity.Name, b.Identity.Name); c != 0 {
		return c
	}
	return a.Fence.Compare(b.Fence)
}

// entrySize is a little more than an entry takes on the wire.
func entrySize(e Entry) int { return len(e.Identity.Kind) + len(e.Identity.Name) + 32 }

func sizeOf(entries []Entry) int {
	size := 16
	for _, e := range entries {
		size += entrySize(e)
	}
	return size
}

// sendEntries makes one message per member, or several where one would be
// too large, in an order that does not depend on chance.
func sendEntries(to map[driver.MemberID][]Entry, limit int, message func([]Entry) Message) []Effect {
	var out []Effect
	for _, id := range sortedKeys(to) {
		entries := to[id]
		slices.SortFunc(entries, compareEntries)
		start, size := 0, 0
		for i, e := range entries {
			if size > 0 && size+entrySize(e) > limit {
				out = append(out, Send{id, message(entries[start:i])})
				start, size = i, 0
			}
			size += entrySize(e)
		}
		out = append(out, Send{id, message(entries[start:])})
	}
	return out
}
