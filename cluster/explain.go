package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/granary-go/granary/cluster/directory"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/partition"
	"github.com/granary-go/granary/internal/placement"
)

// Explanation says where a grain is, and why: what the owner of its identity
// knows, what its host knows, and what this process has cached. It marshals to
// JSON, and its String is for people. It is bounded, whatever members say.
type Explanation struct {
	Kind     string `json:"kind"`
	Identity string `json:"identity"`
	// Explanation is what the members say; of a grain whose location is kept in a
	// database it has the view alone.
	partition.Explanation
	// Store is what the database of WithIdentityLookup says; else nil.
	Store *directory.Explanation `json:"store,omitempty"`
	// Cached is where this process would send a call; nil if it would have to
	// ask the owner first.
	Cached *CachedLocation `json:"cached,omitempty"`
}

// CachedLocation is a location that a process remembers.
type CachedLocation struct {
	Member partition.MemberRef `json:"member"`
	// Token is the activation's fencing token, as text.
	Token string `json:"token"`
}

// Explain asks the owner of a grain's identity, and then its host, what they
// know about it. It works on members and clients, activates nothing and changes
// nothing. Whoever does not answer in time is named in the explanation, and is
// no error; half of the time is kept for the host. Without a deadline the
// request timeout is the limit. Errors are those of a process that is not
// running, [ErrInvalidIdentity], and [ErrNoView] when no view came in time.
func (c *Cluster) Explain(ctx context.Context, identity, kind string) (Explanation, error) {
	id, err := newIdentity(identity, kind)
	if err != nil {
		return Explanation{}, err
	}
	m, err := c.running()
	if err != nil {
		return Explanation{}, err
	}
	ctx, cancel := c.bounded(ctx, callSettings{})
	defer cancel()
	e := Explanation{Kind: kind, Identity: identity, Cached: c.cached(m, id)}
	err = m.lookup.explain(ctx, id, &e)
	switch {
	case errors.Is(err, partition.ErrNoView):
		return e, c.explain(id, err)
	case err != nil:
		return e, fmt.Errorf("cluster: explain %s: %w", id, err)
	}
	return e, nil
}

// cached is the location that this process has of an identity.
func (c *Cluster) cached(m *membership, id driver.Identity) *CachedLocation {
	loc := c.cache.get(id)
	if loc == nil {
		return nil
	}
	at := partition.MemberRef{Address: loc.pid.Address}
	for _, member := range m.lookup.View().Members {
		if loc.pid.Id == activationID(id, member.ID, loc.fence) {
			at.ID = member.ID
		}
	}
	return &CachedLocation{Member: at, Token: loc.fence.String()}
}

// Summary says in one sentence where the grain is.
func (e Explanation) Summary() string {
	return printable(e.Kind) + "/" + printable(e.Identity) + " " + e.verdict()
}

func (e Explanation) verdict() string {
	if e.Store != nil {
		return e.stored()
	}
	switch owner := e.Owner; {
	case owner == nil && !slices.ContainsFunc(e.Silent, func(s partition.Silence) bool { return s.Role == "owner" }):
		return "has no owner: no member of the view is active"
	case owner == nil:
		return "cannot be told about: its owner did not answer" + e.sighted()
	case owner.State == "not owned":
		return "cannot be told about: views are changing" + e.sighted()
	case owner.State == "acquiring":
		return fmt.Sprintf("waits for its slot, which %s is acquiring (promises missing: %d)%s",
			member(owner.Member), owner.MissingCount, e.sighted())
	case owner.Entry == nil && e.Hosting == 0:
		return "is not active, and no active member hosts its kind"
	case owner.Entry == nil:
		return "is not active"
	}
	return e.placed(*e.Owner.Entry)
}

// placed says what becomes of an entry of the owner, and whether the host
// agrees.
func (e Explanation) placed(entry partition.EntryExplanation) string {
	at, here := member(entry.Host), entry.Phase
	for _, h := range e.Hosts {
		if h.Member.ID != entry.Host.ID {
			continue
		}
		switch {
		case h.Token == entry.Token && h.Phase == "stopping":
			here = "ending"
		case h.Token != entry.Token && here == "granted":
			return "is active on " + at + " as far as its owner knows; the host does not have it any more"
		}
	}
	switch here {
	case "granted":
		return "is active on " + at
	case "granting":
		return "is to start on " + at + ", which has not answered"
	default:
		return "is stopping on " + at + "; its next activation waits for that"
	}
}

// sighted names the hosts that have the grain, for want of a better source.
func (e Explanation) sighted() string {
	var at []string
	for _, h := range e.Hosts {
		if h.Phase != "" {
			at = append(at, fmt.Sprintf("%s on %s", h.Phase, member(h.Member)))
		}
	}
	if len(at) == 0 {
		return ""
	}
	return "; it is " + strings.Join(at, ", and ")
}

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

func transition(t partition.Transition) string {
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
func member(r partition.MemberRef) string {
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
