package failover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

// What a diary holds, one line each: a word, and an activation or a member.
const (
	started = "started"
	stopped = "stopped" // its last handler returns
	killing = "killing" // a member, written just before
)

// history is what a diary tells about one identity.
type history struct {
	live *fleet.Activation // nil when there is none
	last driver.Fence
	all  []fleet.Activation
}

// readDiary gives the history of each identity, and what must not be: an activation that begins beside another, a
// token that is not above all before it, an end without a beginning. What ran on a member that was killed ended with
// it, at the latest when its successor starts.
func readDiary(text string) (histories map[string]*history, faults []string) {
	histories = make(map[string]*history)
	killed := make(map[driver.MemberID]bool)
	for line := range strings.Lines(text) {
		word, about, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if word == killing {
			killed[driver.MemberID(about)] = true
			continue
		}
		a, err := fleet.ParseActivation(about)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		h := histories[a.Identity]
		if h == nil {
			h = new(history)
			histories[a.Identity] = h
		}
		switch {
		case word == stopped && (h.live == nil || *h.live != a):
			faults = append(faults, fmt.Sprintf("%s stopped and was not the live one", a))
		case word == stopped:
			h.live = nil
		case word == started:
			if h.live != nil && !killed[h.live.Member] {
				faults = append(faults, fmt.Sprintf("%s started while there was %s", a, *h.live))
			}
			if a.Fence.Compare(h.last) <= 0 {
				faults = append(faults, fmt.Sprintf("%s started after token %s", a, h.last))
			}
			h.live, h.last, h.all = &a, a.Fence, append(h.all, a)
		}
	}
	for identity, h := range histories {
		if h.live != nil && killed[h.live.Member] {
			h.live = nil
		}
		if h.live != nil {
			faults = append(faults, fmt.Sprintf("%s was left: %s", identity, *h.live))
		}
	}
	return histories, faults
}

func TestReadDiary(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		fault string // part of the only one
	}{
		"one after the other": {"started Counter/a@m:1.1\nstopped Counter/a@m:1.1\nstarted Counter/a@n:1.2\nstopped Counter/a@n:1.2\n", ""},
		"two identities":      {"started Counter/a@m:1.1\nstarted Counter/b@n:1.1\nstopped Counter/a@m:1.1\nstopped Counter/b@n:1.1\n", ""},
		"killed":              {"started Counter/a@m:1.1\nkilling m\nstarted Counter/a@n:2.1\nstopped Counter/a@n:2.1\n", ""},
		"killed, and no more": {"started Counter/a@m:1.1\nkilling m\n", ""},
		"two at one time": {
			"started Counter/a@m:1.1\nstarted Counter/a@n:1.2\nstopped Counter/a@n:1.2\n", "Counter/a on n, token 0000000000000001.0000000000000002 started while there was Counter/a on m",
		},
		"another was killed": {"started Counter/a@m:1.1\nkilling o\nstarted Counter/a@n:1.2\nstopped Counter/a@n:1.2\n", "started while there was"},
		"started and killed later": {
			"started Counter/a@m:1.1\nstarted Counter/a@n:1.2\nkilling m\nstopped Counter/a@n:1.2\n", "started while there was",
		},
		"equal token":         {"started Counter/a@m:1.1\nstopped Counter/a@m:1.1\nstarted Counter/a@n:1.1\nstopped Counter/a@n:1.1\n", "after token"},
		"smaller token":       {"started Counter/a@m:1f.1\nstopped Counter/a@m:1f.1\nstarted Counter/a@n:1e.7\nstopped Counter/a@n:1e.7\n", "after token"},
		"stopped out of line": {"stopped Counter/a@m:1.1\n", "was not the live one"},
		"left":                {"started Counter/a@m:1.1\n", "a was left"},
		"no activation":       {"started Counter/a\n", "is no activation"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := readDiary(c.text)
			if got := strings.Join(faults, "\n"); (got == "") != (c.fault == "") || !strings.Contains(got, c.fault) {
				t.Errorf("faults %q, want %q", got, c.fault)
			}
		})
	}
}
