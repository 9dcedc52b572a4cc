package dashboard

import (
	"slices"
	"time"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// history is what a viewer is told who comes later. It is guarded by the dashboard's mutex.
type history struct {
	points []point
	events []event // but for the dead letters, of which there may be many
	dead   []event
	last   uint64 // the number of the newest event
	state  []byte // the frame of the newest snapshot
	note   *notes
}

// point is one of each plot. What is not known is left out.
type point struct {
	At      int64    `json:"at"` // Unix milliseconds
	Handled *float64 `json:"handled,omitempty"`
	Dead    *float64 `json:"dead,omitempty"`
	Active  int64    `json:"active"`
	Waiting int64    `json:"waiting"`
	Moving  int      `json:"moving"`
	Took    float64  `json:"took"` // milliseconds until the cluster has answered
	Calls   *float64 `json:"calls,omitempty"`
	Failed  *float64 `json:"failed,omitempty"`
	P50     *float64 `json:"p50,omitempty"` // milliseconds
	P99     *float64 `json:"p99,omitempty"`
}

// notes are which members came and went, so that a change is told once: by an event of the
// admin service, or, if that was missed, by the difference of two views.
type notes struct {
	present map[string]ref  // by id: the members of the last view, and those that came since
	active  map[string]bool // those of them that had not said that they leave
	doubts  map[string]int  // ids that a view has and that were not told of, and the other way round
	gone    []gone          // the latest first
	known   bool            // there was a view
}

// gone is a member that is in the view no more.
type gone struct {
	ref

	At   int64 `json:"at"`   // Unix milliseconds
	Lost bool  `json:"lost"` // it had not said that it would leave
}

func newNotes() *notes {
	return &notes{present: make(map[string]ref), active: make(map[string]bool), doubts: make(map[string]int)}
}

// came reports whether it is news that a member is there.
func (n *notes) came(m ref) bool {
	_, had := n.present[m.ID]
	n.present[m.ID] = m
	if !had {
		n.active[m.ID] = true
	}
	delete(n.doubts, m.ID)
	n.gone = slices.DeleteFunc(n.gone, func(g gone) bool { return g.ID == m.ID })
	return !had
}

// went reports whether it is news that a member is gone.
func (n *notes) went(m ref, lost bool, at time.Time) bool {
	if _, had := n.present[m.ID]; !had {
		return false
	}
	delete(n.present, m.ID)
	delete(n.active, m.ID)
	delete(n.doubts, m.ID)
	n.gone = slices.Insert(n.gone, 0, gone{ref: m, At: at.UnixMilli(), Lost: lost})
	n.gone = n.gone[:min(len(n.gone), maxGone)]
	return true
}

// compare takes a view in, and gives the changes that nobody has told of in time: an event may
// come behind the view that it is about, but not behind the next one as well.
func (n *notes) compare(members []*pb.Member, at time.Time) (events []event) {
	seen := make(map[string]bool, len(members))
	first := !n.known
	n.known = true
	for _, m := range members {
		r := refOf(&pb.MemberRef{Id: m.GetId(), Address: m.GetAddress()})
		seen[r.ID] = true
		if _, had := n.present[r.ID]; !had && !first && n.doubts[r.ID] == 0 {
			n.doubts[r.ID]++
			continue
		} else if n.came(r) && !first {
			events = append(events, event{Type: "joined", Member: &r, Text: "joined: " + r.called()})
		}
		n.active[r.ID] = m.GetState() == pb.State_STATE_ACTIVE
	}
	for id, r := range n.present {
		switch {
		case seen[id]:
			delete(n.doubts, id)
		case n.doubts[id] == 0:
			n.doubts[id]++
		default:
			lost := n.active[id]
			n.went(r, lost, at)
			events = append(events, goneEvent(r, lost))
		}
	}
	for id := range n.doubts {
		if _, had := n.present[id]; !had && !seen[id] {
			delete(n.doubts, id) // it came and went between two looks
		}
	}
	n.gone = slices.DeleteFunc(n.gone, func(g gone) bool { return at.UnixMilli()-g.At > goneFor.Milliseconds() })
	return events
}

// add numbers events, keeps them and tells them. The caller holds the mutex.
func (d *Dashboard) add(events ...event) {
	h := &d.history
	for _, e := range events {
		h.last++
		e.Number = h.last
		if e.At == 0 {
			e.At = time.Now().UnixMilli()
		}
		if e.Dead != nil {
			h.dead = kept(h.dead, e, MaxDead)
		} else {
			h.events = kept(h.events, e, MaxEvents)
		}
		d.tellEvent(frame("event", e), e.Dead != nil)
	}
}

// kept adds an event to a list of so many at most.
func kept(list []event, e event, most int) []event {
	if len(list) == most {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, e)
}
