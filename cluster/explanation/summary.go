package explanation

import (
	"fmt"
	"slices"
	"strings"
)

// Summary says in one sentence where the grain is.
func (e Explanation) Summary() string {
	return printable(e.Kind) + "/" + printable(e.Identity) + " " + e.verdict()
}

func (e Explanation) verdict() string {
	if e.Store != nil {
		return e.stored()
	}
	switch owner := e.Owner; {
	case owner == nil && !slices.ContainsFunc(e.Silent, func(s Silence) bool { return s.Role == "owner" }):
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
func (e Explanation) placed(entry Entry) string {
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

// at is the member of the entry in the database.
func (e Explanation) at() Member {
	return Member{ID: e.Store.Entry.Member, Address: e.Store.Entry.Address}
}

// stored says where the grain is by the database.
func (e Explanation) stored() string {
	switch s := e.Store; {
	case s.Entry == nil && len(s.Problems) > 0:
		return "cannot be told about: the database of the identity lookup did not answer"
	case s.Entry == nil && e.Hosting == 0:
		return "is not active, and no active member hosts its kind"
	case s.Entry == nil:
		return "is not active"
	case s.Entry.Verdict == "void":
		return "is not active; its entry is that of a member that has left, " + member(e.at())
	case s.Host == "stopping" || s.Host == "releasing":
		return "is stopping on " + member(e.at()) + "; its next activation waits for that"
	case s.Host == "" && len(s.Problems) == 0 && s.Entry.Verdict == "live":
		return "is not active; " + member(e.at()) + " has its entry, and places it anew when it is called"
	default:
		return "is active on " + member(e.at()) + " as far as the database knows"
	}
}
