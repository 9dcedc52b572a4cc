package lease

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

// What a diary holds, one line each: a word, and what it is about.
const (
	started = "started" // an activation, and when its handler began, in Unix nanoseconds
	stopped = "stopped" // an activation: its last handler returns
	turn    = "turn"    // likewise: the handler of a call begins
	done    = "done"    // an activation and its sum: the handler is about to answer
	unsaved = "unsaved" // an activation and why: its write was not acknowledged
	called  = "called"  // a client and a counter
	failed  = "failed"  // a client and a counter: its call has failed
	replied = "replied" // a client, an activation and a sum: the client has the reply
	lost    = "lost"    // a member that is about to be killed or stopped, and when
)

// A handler that began so soon after its process was to be stopped began before: the signal takes its time. Its line may
// have to wait for others and come after the stop.
const delivery = time.Second

func nameOf(a fleet.Activation) counterName { return counterName(a.Kind + "/" + a.Identity) }

// history is what a diary tells about one counter.
type history struct {
	newest   fleet.Activation // the one with the highest token of those that have started
	live     map[fleet.Activation]bool
	lives    map[fleet.Activation]*life
	pending  map[string]pending // calls under way, by client
	accepted position           // the highest
	calls    int
	replies  []position
}

// life is that of one activation.
type life struct {
	turns int
	sum   int64          // with the last reply
	stale map[int64]bool // the replies that were ready only after the first turn of a successor
}

// position is how far a client knows a counter to be.
type position struct {
	fence driver.Fence
	sum   int64
}

// pending is a call under way: where the counter was when it was made.
type pending struct {
	newest   driver.Fence
	accepted position
}

// chronicle is what a whole diary tells.
type chronicle struct {
	counters map[counterName]*history
	members  map[driver.MemberID]time.Time // lost ones, and when
	// lateTurns are the turns, by member, that began after the first turn of a successor.
	lateTurns map[driver.MemberID]int
	lateLines int // of turns that began before their member was stopped
	unsaved   map[fleet.Activation]string
	// beside are the activations, by kind, that began beside another where they may.
	beside  map[string]int
	faults  []string
	overlap []string // the kinds that may have two activations
}

// readDiary judges a diary. A reply must not be accepted if it was ready only after a successor's first turn, nor if
// its activation had a successor before the call was made, and no call reads less than a call before it. No activation
// begins beside another, unless that one's member is lost, or the kind may overlap.
func readDiary(text string, overlap ...string) *chronicle {
	c := &chronicle{
		counters: make(map[counterName]*history), members: make(map[driver.MemberID]time.Time),
		lateTurns: make(map[driver.MemberID]int), unsaved: make(map[fleet.Activation]string),
		beside: make(map[string]int), overlap: overlap,
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			c.faultf("the line %q", line)
			continue
		}
		switch word := words[0]; word {
		case lost:
			c.members[driver.MemberID(words[1])] = c.moment(words[2:])
		case called, failed, replied:
			c.client(word, words[1], words[2:])
		default:
			c.member(word, words[1], words[2:])
		}
	}
	for name, h := range c.counters {
		c.balance(name, h)
	}
	return c
}

func (c *chronicle) faultf(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *chronicle) counter(name counterName) *history {
	h := c.counters[name]
	if h == nil {
		h = &history{
			live: make(map[fleet.Activation]bool), lives: make(map[fleet.Activation]*life), pending: make(map[string]pending),
		}
		c.counters[name] = h
	}
	return h
}

// member takes a line that a member has written.
func (c *chronicle) member(word, id string, rest []string) {
	a, err := fleet.ParseActivation(id)
	if err != nil {
		c.faultf("%s: %v", word, err)
		return
	}
	h := c.counter(nameOf(a))
	late := a.Fence.Compare(h.newest.Fence) < 0
	switch {
	case word == started && late:
		c.late(a, rest)
		h.lives[a] = &life{stale: make(map[int64]bool)}
	case word == started:
		c.begins(h, a)
	case h.lives[a] == nil:
		c.faultf("%s has %s and not started", a, word)
	case word == stopped:
		delete(h.live, a)
	case word == turn:
		h.lives[a].turns++
		if late {
			c.late(a, rest)
		}
	case word == unsaved:
		c.unsaved[a] = strings.Join(rest, " ")
	case word == done:
		sum, err := strconv.ParseInt(strings.Join(rest, " "), 10, 64)
		if err != nil || sum <= h.lives[a].sum {
			c.faultf("%s went from %d to %q", a, h.lives[a].sum, rest)
		}
		h.lives[a].sum = sum
		h.lives[a].stale[sum] = late
	default:
		c.faultf("the word %q", word)
	}
}

// late takes the line of a turn that stands after the first turn of a successor.
func (c *chronicle) late(a fleet.Activation, when []string) {
	if at, is := c.members[a.Member]; is && c.moment(when).Before(at.Add(delivery)) {
		c.lateLines++
		return
	}
	c.lateTurns[a.Member]++
}

// moment reads the end of a line.
func (c *chronicle) moment(words []string) time.Time {
	nanos, err := strconv.ParseInt(strings.Join(words, " "), 10, 64)
	if err != nil {
		c.faultf("the time %q", words)
	}
	return time.Unix(0, nanos)
}

// now is a moment as a diary has it.
func now() string { return strconv.FormatInt(time.Now().UnixNano(), 10) }

// begins takes the start of an activation, whose token is not below those of all others.
func (c *chronicle) begins(h *history, a fleet.Activation) {
	if a.Fence.Compare(h.newest.Fence) == 0 {
		c.faultf("%s started after that token", a)
	}
	for other := range h.live {
		_, gone := c.members[other.Member]
		switch {
		case gone:
		case slices.Contains(c.overlap, a.Kind):
			c.beside[a.Kind]++
		default:
			c.faultf("%s started while there was %s", a, other)
		}
	}
	h.newest, h.live[a], h.lives[a] = a, true, &life{stale: make(map[int64]bool)}
}

// client takes a line that a client has written.
func (c *chronicle) client(word, client string, rest []string) {
	about := strings.Join(rest[:min(len(rest), 1)], "")
	if word != replied {
		h := c.counter(counterName(about))
		if word == failed {
			delete(h.pending, client)
			return
		}
		h.calls++
		h.pending[client] = pending{h.newest.Fence, h.accepted}
		return
	}
	a, err := fleet.ParseActivation(about)
	sum, err2 := strconv.ParseInt(strings.Join(rest[1:], " "), 10, 64)
	if err != nil || err2 != nil {
		c.faultf("the reply %q: %v, %v", rest, err, err2)
		return
	}
	h := c.counter(nameOf(a))
	call, made := h.pending[client]
	delete(h.pending, client)
	h.replies = append(h.replies, position{a.Fence, sum})
	switch at := (position{a.Fence, sum}); {
	case !made:
		c.faultf("%s has a reply of %s and made no call", client, a)
	case h.lives[a] == nil || h.lives[a].sum < sum:
		c.faultf("%s has a reply of %s with %d, which it did not give", client, a, sum)
	case h.lives[a].stale[sum]:
		c.faultf("%s accepted the reply of %s with %d, which was ready after the first turn of %s", client, a, sum, h.newest)
	case a.Fence.Compare(call.newest) < 0:
		c.faultf("%s accepted the reply of %s with %d, and when it called there was token %s", client, a, sum, call.newest)
	case !call.accepted.before(at, a.Kind):
		c.faultf("%s accepted the reply of %s with %d, and when it called there had been token %s with %d",
			client, a, sum, call.accepted.fence, call.accepted.sum)
	case h.accepted.before(at, a.Kind):
		h.accepted = at
	}
}

// before reports whether a later call may be answered with q. A strict counter never begins anew.
func (p position) before(q position, kind string) bool {
	if kind == strictKind {
		return p.sum < q.sum && p.fence.Compare(q.fence) <= 0
	}
	return p.fence.Compare(q.fence) < 0 || p.fence == q.fence && p.sum < q.sum
}

// balance checks that a counter that is kept in memory has counted every call that was acknowledged, and none twice.
func (c *chronicle) balance(name counterName, h *history) {
	if kind, _ := name.Split(); kind == strictKind {
		return // its sum is in the store
	}
	c.between(name, h, h.counted())
}

func (c *chronicle) between(name counterName, h *history, final int64) {
	if int64(len(h.replies)) > final || final > int64(h.calls) {
		c.faultf("%s: %d calls acknowledged, %d counted, %d made", name, len(h.replies), final, h.calls)
	}
}

// counted is the sum of what all activations have counted.
func (h *history) counted() (sum int64) {
	for _, l := range h.lives {
		sum += l.sum
	}
	return sum
}

// figures shows the sums over all counters.
func (c *chronicle) figures() string {
	counts := make(map[string]*[3]int)
	for name, h := range c.counters {
		kind, _ := name.Split()
		if counts[kind] == nil {
			counts[kind] = new([3]int)
		}
		counts[kind][0] += h.calls
		counts[kind][1] += len(h.replies)
		counts[kind][2] += len(h.lives)
	}
	var words []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		n := counts[kind]
		words = append(words, fmt.Sprintf("%s: %d calls, %d acknowledged, %d activations", kind, n[0], n[1], n[2]))
	}
	return strings.Join(words, "; ")
}

func TestReadDiary(t *testing.T) {
	const m, n = "started Leased/a@m:1.1 5000000000\n", "started Leased/a@n:1.2 5000000000\n"
	const call, other = "called c Leased/a\n", "called d Leased/a\n"
	const reply = call + "turn Leased/a@m:1.1 5000000000\ndone Leased/a@m:1.1 1\nreplied c Leased/a@m:1.1 1\n"
	for name, c := range map[string]struct {
		text  string
		fault string // part of the only one
		late  int
	}{
		"one after the other":    {text: m + reply + "stopped Leased/a@m:1.1\n" + n},
		"lost":                   {text: m + reply + "lost m 4500000000\n" + n},
		"stops late":             {text: m + "lost m 4500000000\n" + n + "stopped Leased/a@m:1.1\n"},
		"two at one time":        {text: m + n, fault: "started while there was"},
		"another is lost":        {text: m + "lost o 4500000000\n" + n, fault: "started while there was"},
		"equal token":            {text: m + "stopped Leased/a@m:1.1\nstarted Leased/a@o:1.1 5000000000\n", fault: "started after that token"},
		"a late turn":            {text: m + "lost m 4500000000\n" + n + call + "turn Leased/a@m:1.1 5500000001\n", late: 1},
		"a late line":            {text: m + "lost m 4500000000\n" + n + call + "turn Leased/a@m:1.1 5000000000\n"},
		"a late turn on another": {text: m + "stopped Leased/a@m:1.1\n" + n + call + "turn Leased/a@m:1.1 5000000000\n", late: 1},
		"a late start":           {text: "lost m 4000000000\n" + n + m, late: 1},
		"not accepted":           {text: m + call + "turn Leased/a@m:1.1 5000000000\nlost m 4500000000\n" + n + "done Leased/a@m:1.1 1\nfailed c Leased/a\n"},
		"accepted, ready late":   {text: m + call + "turn Leased/a@m:1.1 5000000000\nlost m 4500000000\n" + n + "done Leased/a@m:1.1 1\nreplied c Leased/a@m:1.1 1\n", fault: "was ready after the first turn of Leased/a on n"},
		"accepted, ready before": {
			text: m + call + "turn Leased/a@m:1.1 5000000000\ndone Leased/a@m:1.1 1\nlost m 4500000000\n" + n + "replied c Leased/a@m:1.1 1\n",
		},
		"called when there was a successor": {
			text:  m + other + "turn Leased/a@m:1.1 5000000000\ndone Leased/a@m:1.1 1\nlost m 4500000000\n" + n + reply[:len(call)] + "replied c Leased/a@m:1.1 1\n",
			fault: "when it called there was token",
		},
		"read goes back": {
			text: m + call + other + "called e Leased/a\n" + strings.Repeat("turn Leased/a@m:1.1 5000000000\n", 2) + "done Leased/a@m:1.1 1\ndone Leased/a@m:1.1 2\n" +
				"replied c Leased/a@m:1.1 2\n" + call + "replied c Leased/a@m:1.1 1\n",
			fault: "there had been token",
		},
		"strict goes back": {
			text: "called c Strict/a\nstarted Strict/a@m:1.1 5000000000\ndone Strict/a@m:1.1 3\nreplied c Strict/a@m:1.1 3\nstopped Strict/a@m:1.1\n" +
				"called c Strict/a\nstarted Strict/a@n:1.2 5000000000\ndone Strict/a@n:1.2 3\nreplied c Strict/a@n:1.2 3\n",
			fault: "there had been token",
		},
		"a reply too many":     {text: m + "done Leased/a@m:1.1 1\nreplied c Leased/a@m:1.1 1\n", fault: "made no call"},
		"a reply from nowhere": {text: m + call + "replied c Leased/a@m:1.1 1\n", fault: "which it did not give"},
		"counted twice":        {text: m + call + "done Leased/a@m:1.1 1\ndone Leased/a@m:1.1 2\nreplied c Leased/a@m:1.1 2\n", fault: "1 calls acknowledged, 2 counted, 1 made"},
		"no start":             {text: "turn Leased/a@m:1.1 5000000000\n", fault: "not started"},
		"no time":              {text: m + "turn Leased/a@m:1.1\nlost m\n", fault: "the time"},
		"nonsense":             {text: "turn a\n", fault: "is no activation"},
		"best effort":          {text: "started BestEffort/a@m:1.1 5000000000\nstarted BestEffort/a@n:1.2 5000000000\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := readDiary(c.text, bestKind)
			got := strings.Join(c2.faults, "\n")
			if c.fault == "" && got != "" || !strings.Contains(got, c.fault) || c2.lateTurns["m"] != c.late {
				t.Errorf("faults %q and %d late turns, want %q and %d", got, c2.lateTurns["m"], c.fault, c.late)
			}
		})
	}
}
