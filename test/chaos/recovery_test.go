package chaos

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/history"
)

var (
	recoveryFlag = flag.String("chaos.recovery", "", "the file that TestRecovery writes what it has measured to")
	timesFlag    = flag.Int("chaos.times", 10, "how often TestRecovery does each fault")
)

const (
	recoveryBegins = "<!-- make chaos-recovery begins -->\n"
	recoveryEnds   = "<!-- make chaos-recovery ends -->\n"
	// recoveryMembers are as many as the restart in turn is of.
	recoveryMembers = 5
)

// recoveries are the settings that are measured, with the lease times that one would choose for a short recovery.
var recoveries = []setting{
	{"automanaged", "automanaged", "", missed * refresh},
	{"etcd", "etcd", "", 5 * time.Second},
}

// A drill is a fault as it is measured.
type drill struct {
	name   string
	what   trouble
	leases float64 // that it lasts, or, of a member, until all grains answer again, if that is sooner
	// measured is what the time is counted from, and to.
	measured measure
	service  bool // it is the service's
}

// measure says from when on grains have to answer.
type measure int

const (
	sinceStruck measure = iota // from the moment at which it has struck, while it lasts
	sinceOver                  // from its end
	throughout                 // from the moment at which it has struck until, after its end, all have answered
)

// drills are what is measured. A member that is isolated holds its grains until its lease ends: that they answer the clients,
// which are not isolated, takes that the others have them.
var drills = []drill{
	{"kill", kill, 4, sinceStruck, false},
	{"isolate", isolate, 4, sinceStruck, false},
	{"outage of half a lease time", outage, 0.5, sinceStruck, true},
	{"outage of two lease times", outage, 2, sinceOver, true},
	{"rolling restart", rolling, 0, throughout, false},
}

// episode is a fault and what it cost.
type episode struct {
	Setting string        `json:"setting"`
	What    string        `json:"what"`    // the drill's name
	Took    time.Duration `json:"took"`    // until every grain had answered a call that began after what it is measured from
	Grains  int           `json:"grains"`  // that were active on the member that it was done to
	Lasted  time.Duration `json:"lasted"`  // the fault, with what it takes to undo it
	Longest time.Duration `json:"longest"` // that somebody waited for one grain
	// Calls are those that were under way at some time from when it struck until it was over and all grains had answered, without
	// those that an earlier fault has left waiting.
	Calls   int `json:"calls"`
	Refused int `json:"refused"`
	Unknown int `json:"unknown"`
	// Held are answers of kinds with leases in an outage after all leases had ended: nobody may give one.
	Held int `json:"held"`

	asked, struck, undone, over time.Duration
}

// TestRecovery measures how long it takes until all grains answer again after a fault, with calls going on.
func TestRecovery(t *testing.T) {
	if *recoveryFlag == "" {
		t.Skip("takes half an hour: `make chaos-recovery` runs it")
	}
	var all []episode
	for _, s := range recoveries {
		t.Run(s.name, func(t *testing.T) { all = append(all, measureRecovery(t, s)...) })
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(*recoveryFlag, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", recoveryTable(all))
	if *docsFlag != "" {
		if err := write(*docsFlag, recoveryBegins, recoveryEnds, recoveryTable(all)); err != nil {
			t.Fatal(err)
		}
	}
}

// measureRecovery does all drills several times, with calls going on, and has what everybody has recorded judged as in any run.
func measureRecovery(t *testing.T, s setting) (all []episode) {
	p := plan{Seed: 1, Members: recoveryMembers, Rates: slices.Repeat([]float64{1}, recoveryMembers)}
	c := newCrew(t, s, p, t.TempDir(), program(t), 0)
	recorder, err := history.Open(filepath.Join(c.folder, "nemesis.jsonl"), "nemesis")
	if err != nil {
		t.Fatal(err)
	}
	recorder.Plan(history.Plan{Text: "recovery on " + s.name, Modes: s.modes(), Stored: stored})
	n := &nemesis{crew: c, recorder: recorder}
	c.each(c.members, toBegin)
	c.each(c.clients, toBegin)
	c.each(c.clients, toProbe)
	for range *timesFlag {
		for _, d := range drills {
			if !d.service || len(c.services) > 0 {
				all = append(all, n.drill(t, d))
			}
		}
	}
	c.each(c.clients, toRest)
	c.each(c.members, toRest)
	c.each(c.members, toSettle)
	c.each(c.clients[:1], toTally)
	c.each(c.clients[:1], toAudit)
	r := result{Counts: make(map[string]int64)}
	c.leave(&r)
	c.complaints(recorder)
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	if h := c.judge(&r); h != nil {
		for i := range all {
			all[i].count(h)
			if all[i].Held > 0 {
				t.Errorf("%d: %s: %d answers of members that had no lease any more", i, all[i].What, all[i].Held)
			}
		}
	}
	for _, f := range r.Findings {
		t.Error(f)
	}
	return all
}

// heaviest finds the member with the most grains. One that was started just now has none, and nobody would miss it.
func (c *crew) heaviest() (who, grains int) {
	for i, s := range c.members {
		var n int
		l, err := s.asked(toWeigh, hostsWord)
		if err == nil {
			n, err = strconv.Atoi(l)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if n > grains {
			who, grains = i, n
		}
	}
	return who, grains
}

// asked tells the process something, and gives what it says after a word.
func (s *station) asked(word, before string) (said string, err error) {
	if _, err := io.WriteString(s.in, word+"\n"); err != nil {
		return "", fmt.Errorf("%s was told to %s: %w", s.name, word, err)
	}
	for _, start := range []string{before, doneWord + word} {
		l, err := s.process.Next(context.Background(), limit, "what it says to: "+word, func(l string) bool { return strings.HasPrefix(l, start) })
		if err != nil {
			return "", err
		}
		if start == before {
			said = strings.TrimPrefix(l.Text, before)
		}
	}
	return said, nil
}

// drill does a fault, to the member with the most grains if it is one of a member, and measures until all grains answer.
func (n *nemesis) drill(t *testing.T, d drill) episode {
	c := n.crew
	e := episode{Setting: c.setting.name, What: d.name, asked: n.recorder.Now()}
	struck, over := make(chan struct{}), make(chan error, 1)
	n.struck = func() { e.struck = n.recorder.Now(); close(struck) }
	ctx, mend := context.WithCancel(t.Context())
	defer mend()
	f := fault{What: d.what, For: time.Duration(d.leases * float64(c.setting.lease))}
	if d.what == kill || d.what == isolate {
		who, grains := c.heaviest()
		if f.Who, e.Grains = []int{who}, grains; grains == 0 {
			t.Fatalf("%s: no member has a grain", d.name)
		}
	}
	go func() { over <- n.run(ctx, []fault{f}) }() // waited for below
	end := func(err error) {
		if e.undone = n.recorder.Now(); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
	}
	select {
	case <-struck:
	case err := <-over:
		t.Fatalf("%s was over before it had struck: %v", d.name, err)
	}
	from := e.struck
	if d.measured == sinceStruck {
		c.each(c.clients, toProbe)
		e.Took = n.recorder.Now() - from
		if d.what != outage {
			mend()
		}
		end(<-over)
	} else {
		end(<-over)
		if d.measured == sinceOver {
			from = e.undone
		}
		c.each(c.clients, toProbe)
		e.Took = n.recorder.Now() - from
	}
	c.each(c.clients, toProbe) // also those that moved when it ended
	e.over, e.Lasted = n.recorder.Now(), e.undone-e.struck
	t.Logf("%s, member %v with %d grains: %s", d.name, f.Who, e.Grains, e.Took.Round(time.Millisecond))
	return e
}

// margin is what a call that was answered at the last moment of a lease may take to be heard of, and an outage to be all there.
const margin = time.Second

// count looks at the calls of the time in which it happened.
func (e *episode) count(h *history.History) {
	during := &history.History{Last: e.over}
	lease := recoveries[slices.IndexFunc(recoveries, func(s setting) bool { return s.name == e.Setting })].lease
	for _, o := range h.Operations {
		if o.Start < e.asked || o.Start > e.over || o.End < e.struck {
			continue
		}
		during.Operations = append(during.Operations, o)
		e.Calls++
		switch o.Outcome {
		case history.Refused:
			e.Refused++
		case history.Unknown:
			e.Unknown++
		case history.OK:
			if strings.HasPrefix(e.What, string(outage)) && h.Mode(o.Kind).Promises() && o.Start > e.struck+lease+margin && o.End < e.undone-margin {
				e.Held++
			}
		}
	}
	for _, o := range history.Available(during).Worst {
		e.Longest = max(e.Longest, o.To-o.From)
	}
}

// spread is the least, the median, nine tenths and the most of some times.
func spread(all []time.Duration) string {
	slices.Sort(all)
	at := func(tenths int) float64 { return all[(len(all)*tenths+9)/10-1].Seconds() }
	return fmt.Sprintf("%.2f, %.2f, %.2f, %.2f s", all[0].Seconds(), at(5), at(9), all[len(all)-1].Seconds())
}

// recoveryTable is what was measured in Markdown.
func recoveryTable(all []episode) string {
	var b strings.Builder
	b.WriteString("| on | lease time | fault | times | grains on that member: median | all grains answer again: least, median, p90, most | longest wait for one grain: median, most | calls meanwhile | of them failed: refused, unknown |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range recoveries {
		for _, d := range drills {
			var took, waits []time.Duration
			var grains []int
			var calls, refused, unknown int
			for _, e := range all {
				if e.Setting == s.name && e.What == d.name {
					took, waits, grains = append(took, e.Took), append(waits, e.Longest), append(grains, e.Grains)
					calls, refused, unknown = calls+e.Calls, refused+e.Refused, unknown+e.Unknown
				}
			}
			if len(took) == 0 {
				continue
			}
			slices.Sort(waits)
			slices.Sort(grains)
			of := "–"
			if n := grains[(len(grains)-1)/2]; n > 0 {
				of = strconv.Itoa(n)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s | %.2f, %.2f s | %d | %d, %d |\n", s.name, s.lease, d.name, len(took), of, spread(took),
				waits[(len(waits)-1)/2].Seconds(), waits[len(waits)-1].Seconds(), calls, refused, unknown)
		}
	}
	return b.String()
}

func TestSpread(t *testing.T) {
	var ten []time.Duration
	for i := range 10 {
		ten = append(ten, time.Duration(10-i)*time.Second)
	}
	if got := spread(ten); got != "1.00, 5.00, 9.00, 10.00 s" {
		t.Error(got)
	}
	if got := spread(ten[:1]); got != "1.00, 1.00, 1.00, 1.00 s" {
		t.Error(got)
	}
}

// TestFaultsDoSomething shows that the network does what the table says of it: a member that is isolated answers nobody.
func TestFaultsDoSomething(t *testing.T) {
	p := plan{Seed: 1, Members: fewest, Rates: []float64{1, 1, 1}}
	c := newCrew(t, find(t, "automanaged"), p, t.TempDir(), program(t), 0)
	recorder, err := history.Open(filepath.Join(c.folder, "nemesis.jsonl"), "nemesis")
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	n := &nemesis{crew: c, recorder: recorder}
	c.each(c.clients, toProbe)
	before := c.net.Counts()
	if err := n.run(context.Background(), []fault{{What: isolate, For: 2 * time.Second, Who: []int{0}}}); err != nil {
		t.Fatal(err)
	}
	if after := c.net.Counts(); after.Blocked == before.Blocked {
		t.Errorf("a member was isolated for two seconds, and no packet was kept from anybody: %+v", after)
	}
	c.each(c.clients, toProbe)
}
