package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// CheckTokens finds answers that went back: for each identity, an operation that begins after another was answered is not
// answered by an activation with an older token.
func CheckTokens(h *History, _ Options) Report {
	r := Report{Oracle: "tokens"}
	answered := map[grain][]*Operation{}
	for _, op := range h.Operations {
		if op.Outcome == OK && !op.Token.IsZero() {
			g := grain{op.Kind, op.Identity}
			answered[g] = append(answered[g], op)
			r.countf(1, "answers with a token")
		}
	}
	for _, g := range sortedGrains(answered) {
		h.tokensOf(&r, g, answered[g])
	}
	return r
}

// tokensOf goes through the operations of one identity, which are in order of Start, with those that have ended beside them.
func (h *History) tokensOf(r *Report, g grain, began []*Operation) {
	ended := slices.Clone(began)
	slices.SortStableFunc(ended, func(a, b *Operation) int { return cmp.Compare(a.End, b.End) })
	var newest *Operation
	for _, op := range began {
		for ; len(ended) > 0 && ended[0].End < op.Start; ended = ended[1:] {
			if newest == nil || ended[0].Token.Compare(newest.Token) > 0 {
				newest = ended[0]
			}
		}
		if newest == nil || op.Token.Compare(newest.Token) >= 0 {
			continue
		}
		r.countf(1, "answers that went back, %s", g.kind)
		r.find(Finding{
			Rule: "token went back", Level: h.stateLevel(g.kind), Kind: g.kind, Identity: g.identity, At: op.End,
			Text: fmt.Sprintf("%s of %s was answered with token %s, and began after %s of %s had been answered with token %s",
				op.Do, op.Client, op.Token, newest.Do, newest.Client, newest.Token),
			Operations: []*Operation{newest, op},
		})
	}
}

// sortedGrains gives the keys in an order that is the same each time.
func sortedGrains[T any](m map[grain]T) []grain {
	all := make([]grain, 0, len(m))
	for g := range m {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b grain) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.identity, b.identity))
	})
	return all
}

// sortedKeys gives the keys in their order.
func sortedKeys[K cmp.Ordered, T any](m map[K]T) []K { return slices.Sorted(maps.Keys(m)) }
