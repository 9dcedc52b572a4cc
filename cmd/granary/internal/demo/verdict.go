package demo

import (
	"fmt"
	"strings"
	"time"
)

// facts are what was seen in one run. The verdict is a function of them and of
// the options alone.
type facts struct {
	killed bool
	victim int
	// lost is how many grains the killed member hosted, answered how many of
	// them had answered anew when the bound was over, or before, and recovery
	// when the last did, since the kill. Noticed is when the client's view no
	// longer held the member; 0 if that was not seen.
	lost, answered    int
	noticed, recovery time.Duration
	// others is how many grains were hosted elsewhere, kept how many of these
	// went on from their counts, and owned how many the killed member owned.
	others, kept, owned int

	added    bool
	addition int // the added member's number
	// joined is how long it took from its start to the client's view.
	joined time.Duration
	// moved is how many identities it owns, stayed how many of the active
	// grains went on from their counts where they were.
	active, moved, stayed int
	// fresh is how many grains were called for the first time after that, and
	// taken how many of those the added member hosts.
	fresh, taken int

	calls    totals
	broken   breaches
	repeated uint64
	// unasked names members that ended although nobody told them to.
	unasked []int
	// end is why not all processes ended as they were told; nil if they did,
	// and none is left.
	end error
}

// A claim is one thing that the demo says about itself.
type claim struct {
	text  string
	state state
}

type state uint8

const (
	unseen state = iota // the run ended before
	refuted
	shown
)

func settle(ok bool) state {
	if ok {
		return shown
	}
	return refuted
}

// claims judges the facts, in the order in which they came about.
func (f *facts) claims(o Options) []claim {
	return []claim{f.recovered(o), f.survived(), f.grew(), f.stood(), f.faultless(), f.counted(), f.clean()}
}

func (f *facts) recovered(o Options) claim {
	if !f.killed {
		return claim{"a member is killed, and calls to its grains succeed again", unseen}
	}
	if f.answered < f.lost || f.recovery > o.Bound {
		return claim{fmt.Sprintf("member %d was killed; only %d of its %d grains answered again within %v",
			f.victim, f.answered, f.lost, o.Bound), refuted}
	}
	return claim{fmt.Sprintf("member %d was killed; all of its %d grains answered again after %s (%v allowed)",
		f.victim, f.lost, seconds(f.recovery), o.Bound), settle(f.lost > 0 && f.noticed > 0)}
}

func (f *facts) survived() claim {
	if !f.killed {
		return claim{"grains on other members go on from their counts", unseen}
	}
	return claim{fmt.Sprintf("%d of %d grains hosted elsewhere, %d of them owned by it, went on from their counts",
		f.kept, f.others, f.owned), settle(f.others > 0 && f.kept == f.others)}
}

func (f *facts) grew() claim {
	if !f.added {
		return claim{"a new member joins, and owns and hosts its share", unseen}
	}
	if f.joined <= 0 {
		return claim{fmt.Sprintf("member %d was added and did not become a member", f.addition), refuted}
	}
	return claim{fmt.Sprintf("member %d joined in %s, owns %d of %d identities and took %d of %d new grains",
		f.addition, seconds(f.joined), f.moved, f.active, f.taken, f.fresh), settle(f.moved > 0 && f.taken > 0)}
}

func (f *facts) stood() claim {
	if !f.added {
		return claim{"activations stay where they are when ownership moves", unseen}
	}
	return claim{fmt.Sprintf("%d of %d grains stayed where they were then, and counted on",
		f.stayed, f.active), settle(f.active > 0 && f.stayed == f.active)}
}

func (f *facts) faultless() claim {
	text := fmt.Sprintf("%s calls: %s failed; the longest took %s", thousands(f.calls.calls), none(f.calls.errors), seconds(f.calls.longest))
	return claim{listed(text, f.calls.causes), settle(f.calls.calls > 0 && f.calls.errors == 0)}
}

// listed puts lines behind a text.
func listed(text string, lines []string) string {
	return strings.Join(append([]string{text}, lines...), "\n")
}

func (f *facts) counted() claim {
	text := fmt.Sprintf("no count fell behind the calls that were answered; %d ran twice, which a retry may", f.repeated)
	if f.broken.count > 0 {
		text = fmt.Sprintf("%d answers contradict earlier ones", f.broken.count)
	}
	return claim{listed(text, f.broken.texts), settle(f.calls.calls > 0 && f.broken.count == 0)}
}

func (f *facts) clean() claim {
	switch {
	case len(f.unasked) > 0:
		return claim{fmt.Sprintf("members %v ended although nobody told them to", f.unasked), refuted}
	case f.end != nil:
		return claim{"not all processes ended as they were told:\n" + f.end.Error(), refuted}
	}
	return claim{"all processes ended as they were told, and none is left", shown}
}

// judge gives the error of a run: nil if nothing was refuted and, in a run
// that had to show everything, nothing is unseen.
func judge(claims []claim, everything bool) error {
	var wrong, missing int
	for _, c := range claims {
		switch c.state {
		case refuted:
			wrong++
		case unseen:
			missing++
		case shown:
		}
	}
	switch {
	case wrong > 0:
		return fmt.Errorf("demo: %d of %d claims were not true", wrong, len(claims))
	case everything && missing > 0:
		return fmt.Errorf("demo: ended before it had shown everything: %d of %d claims are missing", missing, len(claims))
	}
	return nil
}
