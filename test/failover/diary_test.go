package failover

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// What a diary holds, one line each: a word, and an activation or a member.
const (
	started = "started"
	stopped = "stopped" // its last handler returns
	killing = "killing" // a member, written just before
)

// An activation is what the id of a grain's PID says.
type activation struct {
	identity string
	member   driver.MemberID
	fence    driver.Fence
}

func (a activation) String() string {
	return fmt.Sprintf("%s on %s, token %s", a.identity, a.member, a.fence)
}

// parseActivation reads kind/identity@member:term.seq.
func parseActivation(id string) (a activation, err error) {
	identity, rest, _ := strings.Cut(id, "@")
	member, fence, _ := strings.Cut(rest, ":")
	if n, _ := fmt.Sscanf(fence, "%x.%x", &a.fence.Term, &a.fence.Seq); n != 2 || identity == "" || member == "" {
		return a, fmt.Errorf("%q is no activation", id)
	}
	a.identity, a.member = strings.TrimPrefix(identity, kind+"/"), driver.MemberID(member)
	return a, nil
}

// diary is a file that several processes append to. The kernel makes one order of what they write: a line that was
// written before another was begun stands before it.
type diary struct{ file *os.File }

func openDiary(path string) (*diary, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &diary{f}, err
}

// write panics when it fails, which ends the process and so the test.
func (d *diary) write(word, about string) {
	if _, err := d.file.WriteString(word + " " + about + "\n"); err != nil {
		panic(err)
	}
}

func (d *diary) Close() error { return d.file.Close() }

// history is what a diary tells about one identity.
type history struct {
	live *activation // nil when there is none
	last driver.Fence
	all  []activation
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
		a, err := parseActivation(about)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		h := histories[a.identity]
		if h == nil {
			h = new(history)
			histories[a.identity] = h
		}
		switch {
		case word == stopped && (h.live == nil || *h.live != a):
			faults = append(faults, fmt.Sprintf("%s stopped and was not the live one", a))
		case word == stopped:
			h.live = nil
		case word == started:
			if h.live != nil && !killed[h.live.member] {
				faults = append(faults, fmt.Sprintf("%s started while there was %s", a, *h.live))
			}
			if a.fence.Compare(h.last) <= 0 {
				faults = append(faults, fmt.Sprintf("%s started after token %s", a, h.last))
			}
			h.live, h.last, h.all = &a, a.fence, append(h.all, a)
		}
	}
	for identity, h := range histories {
		if h.live != nil && killed[h.live.member] {
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
			"started Counter/a@m:1.1\nstarted Counter/a@n:1.2\nstopped Counter/a@n:1.2\n", "a on n, token 0000000000000001.0000000000000002 started while there was a on m",
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
