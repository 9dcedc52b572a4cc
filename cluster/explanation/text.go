package explanation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/granary-go/granary/internal/placement"
)

// String gives the explanation as a block of lines for people.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, e.Summary())
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	if e.Store != nil {
		e.tellStore(line)
	} else {
		line("slot", "%d of %d, in view %d of %s (members: %d)", e.Slot, placement.SlotCount, e.Epoch, printable(e.Incarnation), e.Members)
	}
	e.tellOwner(line)
	e.tellHosts(line)
	if e.Cached != nil {
		line("cached", "on %s, token %s", member(e.Cached.Member), printable(e.Cached.Token))
	} else {
		line("cached", "nothing in this process")
	}
	for _, s := range e.Silent {
		line("silent", "%s, asked as %s: %s", member(s.Member), s.Role, printable(s.Why))
	}
	what := "history"
	for _, t := range e.History {
		line(what, "%s  %s", t.At.Format(time.StampMilli), transition(t))
		what = ""
	}
	_ = w.Flush() // a strings.Builder does not fail
	return strings.TrimRight(b.String(), "\n")
}

func (e Explanation) tellOwner(line func(what, format string, args ...any)) {
	o := e.Owner
	if o == nil {
		return
	}
	line("owner", "%s: %s, term %d, by view %d; %d wait for the slot", member(o.Member), printable(o.State), o.Term, o.Epoch, o.Waiting)
	for _, m := range o.Missing {
		line("missing", "the promise of %s", member(m))
	}
	if more := o.MissingCount - len(o.Missing); more > 0 {
		line("missing", "and %d more", more)
	}
	if entry := o.Entry; entry != nil {
		asking := ""
		if entry.Asking {
			asking = fmt.Sprintf("; the host is being asked, again %d times", entry.Resent)
		}
		if entry.Silent {
			asking += "; it is silent"
		}
		line("entry", "%s to %s, token %s; %d wait for it%s",
			printable(entry.Phase), member(entry.Host), printable(entry.Token), entry.Waiting, asking)
	}
	if o.Losers > 0 {
		line("losers", "%d older activations have been told to stop", o.Losers)
	}
}

// tellHosts tells of those that have the grain, and of the only one asked.
func (e Explanation) tellHosts(line func(what, format string, args ...any)) {
	without := 0
	for _, h := range e.Hosts {
		if h.Phase == "" && h.Notices == 0 && len(e.Hosts) > 1 {
			without++
			continue
		}
		has := "does not have it"
		if h.Phase != "" {
			has = printable(h.Phase) + ", token " + printable(h.Token)
		}
		if h.Notices > 0 {
			has += fmt.Sprintf("; %d ends not acknowledged", h.Notices)
		}
		if h.Lease != "" {
			has += "; lease " + printable(h.Lease)
		}
		if h.Leaving {
			has += "; it takes nothing new"
		}
		line("host", "%s: %s", member(h.Member), has)
		if h.Promised > 0 {
			line("", "promised term %d to %s, answered up to %d; by view %d", h.Promised, member(h.PromisedTo), h.Seq, h.Epoch)
		}
	}
	if without > 0 {
		line("hosts", "%d others do not have it", without)
	}
}

// tellStore is the part of an explanation that a database has told.
func (e Explanation) tellStore(line func(what, format string, args ...any)) {
	s := e.Store
	state := "closed: members are writing back what they host"
	if s.Open {
		state = "open"
	}
	line("store", "era %d, %s; in view %d of %s (members: %d)", s.Era, state, e.Epoch, printable(e.Incarnation), e.Members)
	if s.Entry != nil {
		line("entry", "%s, token %s, of view %d: %s", member(e.at()), printable(s.Entry.Token), s.Entry.Epoch, printable(s.Entry.Verdict))
	}
	if s.Host != "" {
		line("host", "%s, token %s", printable(s.Host), printable(s.HostToken))
	}
	for _, p := range s.Problems {
		line("silent", "%s", printable(p))
	}
}

func transition(t Transition) string {
	words := []string{t.Role, member(t.By) + ":", printable(t.What)}
	if t.Token != "" {
		words = append(words, printable(t.Token))
	}
	if t.Term > 0 {
		words = append(words, fmt.Sprintf("in term %d", t.Term))
	}
	if t.Host != nil {
		words = append(words, "with", member(*t.Host))
	}
	if t.Why != "" {
		words = append(words, "because "+printable(t.Why))
	}
	return strings.Join(words, " ")
}

// member names a member for people.
func member(r Member) string {
	switch {
	case r.Address == "":
		return printable(string(r.ID)) + " (not in the view)"
	case r.ID == "":
		return r.Address + " (not in the view)"
	default:
		return fmt.Sprintf("%s (%s)", r.Address, printable(string(r.ID)))
	}
}

// printable quotes a text that would not show as it is.
func printable(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	if plain && !slices.Contains([]rune(s), unicode.ReplacementChar) {
		return s
	}
	return strconv.Quote(s)
}
