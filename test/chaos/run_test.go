package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/history"
	"github.com/granary-go/granary/test/chaos/network"
)

var (
	seedFlag    = flag.Uint64("chaos.seed", 0, "the seed of a run, which has the same faults again; 0 draws one")
	onFlag      = flag.String("chaos.on", "etcd", "what the cluster of a run stands on: automanaged, etcd, \"etcd and redis\", \"etcd and mongo\", zk, consul or k8s")
	lengthFlag  = flag.Duration("chaos.for", 10*time.Minute, "how long faults happen")
	coldFlag    = flag.Int("chaos.cold", 0, "how many new grains each client calls in a second, once each")
	programFlag = flag.String("chaos.program", "", "the program of members and clients; without one, this one")
	keepFlag    = flag.String("chaos.keep", "", "the folder in which the records of runs that fail are kept; without one, that for temporary files")
)

// calm is how long the processes work before the first fault: what they hold then is what they should hold in the end.
const calm = 2 * time.Second

// result is what came of a run.
type result struct {
	Setting   string           `json:"setting"`
	Revision  string           `json:"revision,omitempty"` // of the tree
	Seed      uint64           `json:"seed"`
	Network   string           `json:"network"`
	Length    time.Duration    `json:"length"`
	Members   int              `json:"members"`
	Recovered time.Duration    `json:"recovered"` // from the end of the last fault until every grain has answered
	Counts    map[string]int64 `json:"counts"`    // of the judge, by oracle and name
	Findings  []string         `json:"findings,omitempty"`
	Answered  int              `json:"answered"`
	Failed    map[string]int64 `json:"failed,omitempty"` // calls, by cause
	// Longest is, of each kind, the longest time that somebody waited for one of its grains to answer anybody.
	Longest map[string]time.Duration `json:"longest,omitempty"`

	verdict *history.Verdict
}

// run is one run: a crew, a plan, a verdict.
func run(t *testing.T, s setting, p plan, length time.Duration) (r result) {
	t.Helper()
	folder, err := os.MkdirTemp( //nolint:usetesting // it is kept if the run fails
		*keepFlag, fmt.Sprintf("chaos-%s-%d-", strings.ReplaceAll(s.name, " ", "-"), p.Seed))
	if err != nil {
		t.Fatal(err)
	}
	r = result{Setting: s.name, Seed: p.Seed, Length: length, Members: p.Members, Counts: make(map[string]int64)}
	defer func() {
		if len(r.Findings) == 0 && !t.Failed() {
			_ = os.RemoveAll(folder)
			return
		}
		t.Logf("%s\n    what was recorded is in %s; again with: make chaos SEED=%d ON=%q FOR=%s", p, folder, p.Seed, s.name, length)
	}()
	c := newCrew(t, s, p, folder, program(t), *coldFlag)
	r.Network = c.net.Mode()
	recorder, err := history.Open(filepath.Join(folder, "nemesis.jsonl"), "nemesis")
	if err != nil {
		t.Fatal(err)
	}
	if r.Recovered, err = c.live(p, recorder); err != nil {
		r.Findings = append(r.Findings, "the run itself: "+err.Error())
	}
	c.leave(&r)
	c.complaints(recorder)
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	c.judge(&r)
	r.floors()
	return r
}

// floors finds what a run has not shown.
func (r *result) floors() {
	faults := int64(0)
	for name, n := range r.Counts {
		if strings.HasPrefix(name, "processes: faults") {
			faults += n
		}
	}
	for what, n := range map[string]int64{
		"an answer": int64(r.Answered), "a fault": faults, "a turn": r.Counts["activations: turns"], "a token": r.Counts["tokens: answers with a token"],
		"an operation that is linearizable": r.Counts["linearizability: operations checked"], "a transfer": r.Counts["bank: transfers done"],
		"a message": r.Counts["messages: delivered"],
		// Of every process that is there in the end.
		"a gauge of each to compare": r.Counts["gauges: gauges compared"] / int64(r.Members+clients),
	} {
		if n == 0 {
			r.Findings = append(r.Findings, "a run without "+what+" shows nothing")
		}
	}
}

// program is what members and clients are processes of.
func program(t *testing.T) string {
	if *programFlag != "" {
		return *programFlag
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// live is the crew's life from the first call to the last, with all faults in between.
func (c *crew) live(p plan, recorder *history.Recorder) (recovered time.Duration, err error) {
	recorder.Plan(history.Plan{Seed: p.Seed, Text: c.setting.name + ", " + p.String(), Modes: c.setting.modes(), Stored: stored})
	n := &nemesis{crew: c, recorder: recorder}
	if network.InTime(exec.CommandContext(c.t.Context(), "true"), p.Offset) == nil {
		n.offset = p.Offset
	}
	work := func(during func() error) error {
		if err := errors.Join(c.told(c.members, toBegin), c.told(c.clients, toBegin)); err != nil {
			return err
		}
		err := during()
		return errors.Join(err, c.told(c.clients, toRest), c.told(c.members, toRest))
	}
	if err = c.told(c.clients, toProbe); err == nil {
		err = work(func() error { pause(context.Background(), calm); return nil })
	}
	if err == nil {
		err = c.gauges(toGauge)
	}
	if err != nil {
		return 0, fmt.Errorf("before the first fault: %w", err)
	}
	err = work(func() error {
		err := n.run(c.t.Context(), p.Faults)
		began := time.Now()
		err = errors.Join(err, c.told(c.clients, toProbe))
		recovered = time.Since(began)
		return err
	})
	return recovered, errors.Join(err, c.told(c.members, toSettle), c.told(c.clients[:1], toTally), c.told(c.clients[:1], toAudit), c.gauges(toGaugeAfter))
}

// gauges has all members and the clients say what they hold. Members that were started amid faults are compared with the first
// at their station.
func (c *crew) gauges(word string) error {
	return errors.Join(c.told(c.members, word), c.told(c.clients, word))
}

// leave has all processes end gracefully.
func (c *crew) leave(r *result) {
	before, err := c.notes.with(badlyWord)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, stations := range [][]*station{c.clients, c.members} {
		for _, s := range stations {
			if err := s.leave(); err != nil {
				r.Findings = append(r.Findings, "at its end: "+err.Error())
			}
		}
	}
	after, err := c.notes.with(badlyWord)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, line := range after[len(before):] {
		r.Findings = append(r.Findings, "at its end, with a whole network: "+line)
	}
}

// complaints records how many lines of the processes tell of what should not be.
func (c *crew) complaints(recorder *history.Recorder) {
	about := []string{"DATA RACE", "panic:", "fatal error:"}
	if c.setting.backend != "automanaged" { // where members that live may be taken for dead, owners find two activations
		about = append(about, "placement audit")
	}
	for _, text := range about {
		found, err := c.notes.with(text)
		if err != nil {
			c.t.Fatal(err)
		}
		recorder.Audit(history.Audit{Process: "all", Name: fmt.Sprintf("lines with %q", text), Value: int64(len(found)), Text: strings.Join(found, "\n")})
	}
}

// judge reads what everybody has recorded, and gives it; nil if it cannot be read.
func (c *crew) judge(r *result) *history.History {
	files, err := filepath.Glob(filepath.Join(c.folder, "*.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	h, err := history.Read(files...)
	if err != nil {
		r.Findings = append(r.Findings, "the records: "+err.Error())
		return nil
	}
	v := history.Judge(h, history.Options{})
	r.verdict, r.Answered = v, v.Served.Answered
	r.Failed, r.Longest = make(map[string]int64), make(map[string]time.Duration)
	for _, cause := range v.Served.Causes {
		r.Failed[cause.Name] = cause.Value
	}
	for _, o := range v.Served.Worst {
		r.Longest[o.Kind] = o.To - o.From
	}
	for _, report := range v.Reports {
		for _, count := range report.Counts {
			r.Counts[report.Oracle+": "+count.Name] = count.Value
		}
		for level := range history.Permitted {
			if n := report.Found(level); n > 0 {
				r.Counts[report.Oracle+": "+level.String()] = int64(n)
			}
		}
	}
	for level := range history.Permitted {
		for _, f := range v.Findings(level) {
			r.Findings = append(r.Findings, fmt.Sprintf("%s: %s: %s %s: %s", f.Level, f.Rule, f.Kind, f.Identity, f.Text))
		}
	}
	if len(r.Findings) == 0 {
		return h
	}
	var text, picture strings.Builder
	v.Print(&text)
	err = v.Picture(&picture, h)
	for name, content := range map[string]string{"verdict.txt": text.String(), "verdict.html": picture.String()} {
		err = errors.Join(err, os.WriteFile(filepath.Join(c.folder, name), []byte(content), 0o600))
	}
	if err != nil {
		c.t.Error(err)
	}
	return h
}

// told is each, with an error.
func (c *crew) told(stations []*station, word string) error {
	errs := make(chan error, len(stations))
	for _, s := range stations {
		go func() { errs <- s.tell(word) }() // waited for below
	}
	var all []error
	for range stations {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}
