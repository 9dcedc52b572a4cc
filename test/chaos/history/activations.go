package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// CheckActivations finds turns that should not have been, from what handlers have recorded.
//
//   - An overlap is a turn that begins after the first turn of an activation with a newer token has begun. Kinds of the modes
//     lease and strict promise that there is none; those of best effort are counted.
//   - One that began before that and ended after it has outlived its lease. That is permitted, and counted.
//   - Turns of one activation never run at the same time, and no token is that of two activations. That holds in each mode.
//
// A handler records its beginning a moment after the product has looked at the lease. A process that is stopped (a fault of the
// kind [Pause]) in this moment goes on with a turn that is rightly there. So the first turn of an activation after a pause of its
// process is counted as in doubt, not as an overlap, unless its message was sent after the pause had begun ([Turn.Sent]).
func CheckActivations(h *History, _ Options) Report {
	r := Report{Oracle: "activations"}
	turns := map[grain][]*Turn{}
	for _, t := range h.Turns {
		g := grain{t.Kind, t.Identity}
		turns[g] = append(turns[g], t)
		r.countf(1, "turns")
	}
	activations := map[grain][]*Activation{}
	for _, a := range h.Activations {
		g := grain{a.Kind, a.Identity}
		activations[g] = append(activations[g], a)
		if turns[g] == nil {
			turns[g] = []*Turn{} // it is looked at, too
		}
		r.countf(1, "activations started")
	}
	for _, g := range sortedGrains(turns) {
		if len(turns[g]) > 0 {
			h.overlaps(&r, g, turns[g])
			sameTime(&r, g, turns[g])
		}
		sharedTokens(&r, g, activations[g], turns[g])
	}
	return r
}

// lane is the turns of one activation, as its token tells, in order of Begin.
type lane struct {
	token Token
	turns []*Turn
}

// lanes parts turns by their tokens, the oldest first.
func lanes(turns []*Turn) []lane {
	byToken := map[Token][]*Turn{}
	for _, t := range turns {
		byToken[t.Token] = append(byToken[t.Token], t)
	}
	all := make([]lane, 0, len(byToken))
	for token, turns := range byToken {
		all = append(all, lane{token, turns})
	}
	slices.SortFunc(all, func(a, b lane) int { return a.token.Compare(b.token) })
	return all
}

// overlaps compares the turns of each activation with the first of all its successors.
func (h *History) overlaps(r *Report, g grain, turns []*Turn) {
	all := lanes(turns)
	r.countf(int64(len(all)), "activations with turns")
	mode := h.Mode(g.kind)
	successor := (*Turn)(nil)
	for _, l := range slices.Backward(all) {
		for k, t := range l.turns {
			switch {
			case successor == nil:
			case t.Begin > successor.Begin && h.mayHavePassed(l.turns, k):
				r.countf(1, "turns in doubt, %s (%s)", g.kind, mode)
			case t.Begin > successor.Begin:
				r.countf(1, "overlaps, %s (%s)", g.kind, mode)
				r.find(Finding{
					Rule: "overlap", Level: h.level(g.kind), Kind: g.kind, Identity: g.identity, At: t.Begin,
					Text: fmt.Sprintf("a turn of %s (token %s) begins %v after the first turn of its successor %s (token %s)",
						t.Member, t.Token, t.Begin-successor.Begin, successor.Member, successor.Token),
					Turns: []*Turn{successor, t},
				})
			case t.End > successor.Begin && t.End != Never:
				r.countf(1, "outlived, %s (%s)", g.kind, mode)
			}
		}
		if first := l.turns[0]; successor == nil || first.Begin < successor.Begin {
			successor = first
		}
	}
}

// mayHavePassed reports whether a turn may have passed the product's look at the lease before its process was paused.
func (h *History) mayHavePassed(lane []*Turn, k int) bool {
	t := lane[k]
	for _, f := range h.Faults {
		if f.Kind != Pause || !slices.Contains(f.Targets, t.By) || t.Begin < f.Begin || t.Sent > f.Begin {
			continue
		}
		before := time.Duration(-1)
		if k > 0 {
			before = lane[k-1].Begin
		}
		if before < f.Begin {
			return true // the first that was recorded since
		}
	}
	return false
}

// sameTime finds turns of one activation that run at the same time.
func sameTime(r *Report, g grain, turns []*Turn) {
	for _, l := range lanes(turns) {
		longest := l.turns[0]
		for _, t := range l.turns[1:] {
			if t.Begin < longest.End && t.By == longest.By && longest.End != Never {
				r.find(Finding{
					Rule: "two turns at one time", Kind: g.kind, Identity: g.identity, At: t.Begin,
					Text:  fmt.Sprintf("a turn of %s (token %s) begins %v before another one has ended", t.Member, t.Token, longest.End-t.Begin),
					Turns: []*Turn{longest, t},
				})
			}
			if t.End > longest.End || longest.End == Never {
				longest = t
			}
		}
	}
}

// sharedTokens finds tokens that two members have for one identity. A grain that starts again after a panic keeps its own.
func sharedTokens(r *Report, g grain, activations []*Activation, turns []*Turn) {
	type holder struct {
		Token
		member string
		at     time.Duration
	}
	all := make([]holder, 0, len(activations)+len(turns))
	for _, a := range activations {
		all = append(all, holder{a.Token, a.Member, a.Started})
	}
	for _, t := range turns {
		all = append(all, holder{t.Token, t.Member, t.Begin})
	}
	slices.SortStableFunc(all, func(a, b holder) int { return cmp.Compare(a.at, b.at) })
	first := map[Token]string{}
	told := map[Token]bool{}
	for _, a := range all {
		member, ok := first[a.Token]
		switch {
		case a.IsZero() && !told[a.Token]:
			told[a.Token] = true
			r.find(Finding{Rule: "no token", Kind: g.kind, Identity: g.identity, At: a.at, Text: "an activation on " + a.member + " has no token"})
		case !ok:
			first[a.Token] = a.member
		case member != a.member && !told[a.Token]:
			told[a.Token] = true
			r.find(Finding{
				Rule: "shared token", Kind: g.kind, Identity: g.identity, At: a.at,
				Text: fmt.Sprintf("activations on %s and on %s have the same token %s", member, a.member, a.Token),
			})
		}
	}
}
