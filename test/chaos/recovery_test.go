package chaos

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// episode is a fault and what it cost.
type episode struct {
	Setting string        `json:"setting"`
	What    trouble       `json:"what"`
	Took    time.Duration `json:"took"` // from its beginning until every grain had answered a call that began after that
	Calls   int           `json:"calls"`
	Refused int           `json:"refused"`
	Unknown int           `json:"unknown"`

	began, ended time.Duration
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

func measureRecovery(t *testing.T, s setting) (all []episode) {
	p := plan{Seed: 1, Members: recoveryMembers, Rates: make([]float64, recoveryMembers)}
	for i := range p.Rates {
		p.Rates[i] = 1
	}
	c := newCrew(t, s, p, t.TempDir(), program(t), 0)
	recorder, err := history.Open(filepath.Join(c.folder, "nemesis.jsonl"), "nemesis")
	if err != nil {
		t.Fatal(err)
	}
	recorder.Plan(history.Plan{Text: "recovery on " + s.name, Modes: s.modes()})
	n := &nemesis{crew: c, recorder: recorder}
	c.each(c.members, toBegin)
	c.each(c.clients, toBegin)
	c.each(c.clients, toProbe)
	troubles := []trouble{kill, isolate, rolling}
	if len(c.services) > 0 {
		troubles = append(troubles, outage)
	}
	for i := range *timesFlag {
		for _, what := range troubles {
			e := episode{Setting: s.name, What: what, began: recorder.Now()}
			f := fault{What: what, For: 4 * s.lease, Who: []int{i % recoveryMembers}}
			if what == outage {
				f.For = s.lease / 2 // it is over before a lease is
			}
			over := make(chan error, 1)
			go func() { over <- n.run(t.Context(), []fault{f}) }() // waited for below
			c.each(c.clients, toProbe)
			e.ended = recorder.Now()
			e.Took = e.ended - e.began
			if err := <-over; err != nil {
				t.Fatal(err)
			}
			if what == rolling { // all through it
				e.ended = recorder.Now()
				e.Took = e.ended - e.began
			}
			c.each(c.clients, toProbe)
			all = append(all, e)
		}
	}
	c.each(c.clients, toRest)
	c.each(c.members, toRest)
	var r result
	c.leave(&r)
	if err := recorder.Close(); err != nil || len(r.Findings) > 0 {
		t.Errorf("at the end: %v, %v", err, r.Findings)
	}
	files, err := filepath.Glob(filepath.Join(c.folder, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Read(files...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].count(h)
	}
	return all
}

// count counts the calls that began while it lasted.
func (e *episode) count(h *history.History) {
	for _, o := range h.Operations {
		if o.Start < e.began || o.Start > e.ended {
			continue
		}
		e.Calls++
		switch o.Outcome {
		case history.Refused:
			e.Refused++
		case history.Unknown:
			e.Unknown++
		}
	}
}

// recoveryTable is what was measured in Markdown.
func recoveryTable(all []episode) string {
	var b strings.Builder
	b.WriteString("| on | lease time | fault | times | all grains answer again: least, median, most | calls meanwhile | of them failed: refused, unknown |\n|---|---|---|---|---|---|---|\n")
	for _, s := range recoveries {
		for _, what := range []trouble{kill, isolate, outage, rolling} {
			var took []time.Duration
			var calls, refused, unknown int
			for _, e := range all {
				if e.Setting == s.name && e.What == what {
					took, calls, refused, unknown = append(took, e.Took), calls+e.Calls, refused+e.Refused, unknown+e.Unknown
				}
			}
			if len(took) == 0 {
				continue
			}
			slices.Sort(took)
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %.2f s, %.2f s, %.2f s | %d | %d, %d |\n", s.name, s.lease, what, len(took),
				took[0].Seconds(), took[len(took)/2].Seconds(), took[len(took)-1].Seconds(), calls, refused, unknown)
		}
	}
	return b.String()
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
