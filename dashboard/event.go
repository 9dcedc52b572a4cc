package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// maxText bounds a text that the page shows, in bytes.
const maxText = 600

// ref names a member.
type ref struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

func refOf(m *pb.MemberRef) ref {
	return ref{short(m.GetId(), maxText), short(m.GetAddress(), maxText)}
}

func (r ref) called() string {
	switch {
	case r.Address != "" && r.ID != "":
		return r.Address + " (" + r.ID + ")"
	case r.ID == "" && r.Address == "":
		return "somebody"
	default:
		return r.Address + r.ID
	}
}

// big is a number that does not fit into those of JavaScript.
type big uint64

func (b big) text() string { return strconv.FormatUint(uint64(b), 10) }

// event is something that happened, as the page shows it.
type event struct {
	Number uint64 `json:"number"`
	At     int64  `json:"at"` // Unix milliseconds
	// Type is what it is, for filters and colours.
	Type string `json:"type"`
	Text string `json:"text"`
	// From is who tells it; nil for the dashboard itself.
	From *ref `json:"from,omitempty"`
	// Member is whom it is about.
	Member *ref  `json:"member,omitempty"`
	Dead   *dead `json:"dead,omitempty"`
}

// dead is a sample of dead letters.
type dead struct {
	Target string `json:"target"`
	What   string `json:"what"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

func goneEvent(r ref, lost bool) event {
	e := event{Type: "left", Member: &r, Text: "left: " + r.called()}
	if lost {
		e.Type, e.Text = "lost", "lost: "+r.called()+" had not said that it would leave: it crashed, was cut off or was removed"
	}
	return e
}

// shown makes an event of one of the admin service's. One of a newer version is shown as
// such.
func shown(e *pb.Event) event {
	from := refOf(e.GetMember())
	out := event{At: time.Unix(0, e.GetAtUnixNanos()).UnixMilli(), From: &from, Type: "unknown", Text: "an event that this dashboard does not know; the member is newer"}
	about := func(kind string, m *pb.MemberRef) {
		r := refOf(m)
		out.Type, out.Member, out.Text = kind, &r, kind+": "+r.called()
	}
	switch what := e.GetWhat().(type) {
	case *pb.Event_Began:
		out.Type, out.Text = "began", fmt.Sprintf("watching through %s: view %d, members: %d", from.called(), what.Began.GetEpoch(), what.Began.GetCount())
	case *pb.Event_View:
		out.Type, out.Text = "view", fmt.Sprintf("view %d, members: %d", what.View.GetEpoch(), what.View.GetCount())
		if what.View.GetUnites() {
			out.Text += "; it unites the sides of a split"
		}
	case *pb.Event_Joined:
		about("joined", what.Joined.GetMember())
	case *pb.Event_Left:
		r := refOf(what.Left.GetMember())
		gone := goneEvent(r, what.Left.GetLost())
		if what.Left.GetUnknownHow() {
			gone.Text = "left, not known how: " + r.called()
		}
		out.Type, out.Text, out.Member = gone.Type, gone.Text, &r
	case *pb.Event_Leaving:
		about("leaving", what.Leaving.GetMember())
	case *pb.Event_Slots:
		out.Type, out.Text = "slots", slotsText(what.Slots)
	case *pb.Event_DeadLetter:
		l := what.DeadLetter
		out.Type = "dead"
		out.Dead = &dead{short(l.GetTarget(), maxText), short(l.GetMessageType(), maxText), short(l.GetReason(), maxText), l.GetCount()}
		out.Text = fmt.Sprintf("dead letter: %s to %s: %s (%d since the last sample)", out.Dead.What, out.Dead.Target, out.Dead.Reason, out.Dead.Count)
	case *pb.Event_Lease:
		out.Type, out.Text = "lease", "lease: "+word(what.Lease.GetLease(), "LEASE_")
	case *pb.Event_Connection:
		about("connection", what.Connection.GetPeer())
		if out.Text = "connected: " + out.Member.called(); !what.Connection.GetConnected() {
			out.Text = "disconnected: " + out.Member.called() + ": " + short(what.Connection.GetWhy(), maxText)
		}
	case *pb.Event_Missed:
		out.Type, out.Text = "missed", fmt.Sprintf("%d events were left out by %s, which had more to tell than it keeps", what.Missed.GetCount(), from.called())
	case *pb.Event_Silent:
		out.Type, out.Text = "silent", from.called()+" does not tell what happens there: "+short(what.Silent.GetWhy(), maxText)
	}
	return out
}

// maxShares is how many members are named whose slots move.
const maxShares = 6

func slotsText(s *pb.SlotsMoved) string {
	parts := []string{fmt.Sprintf("slots: %d move", s.GetMoved())}
	for i, share := range s.GetShares() {
		if i == maxShares {
			parts = append(parts, fmt.Sprintf("and of %d more members", len(s.GetShares())-i))
			break
		}
		r := refOf(share.GetMember())
		parts = append(parts, fmt.Sprintf("%s %d→%d", r.called(), share.GetBefore(), share.GetAfter()))
	}
	return strings.Join(parts, "; ")
}

// word names a value of an enum as people write it. One that this program does not know is a
// number.
func word(value fmt.Stringer, prefix string) string {
	text, ok := strings.CutPrefix(value.String(), prefix)
	if !ok {
		return strings.ToLower(strings.TrimSuffix(prefix, "_")) + " " + value.String()
	}
	return strings.ReplaceAll(strings.ToLower(text), "_", " ")
}

// short bounds a text, in bytes.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = text[:most]
	for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text[:max(len(text)-1, 0)] + "…"
}

// MarshalJSON writes it as a text.
func (b big) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(b.text())), nil }
