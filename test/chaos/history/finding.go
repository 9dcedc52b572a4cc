package history

import (
	"fmt"
	"time"
)

// Level says what a finding means.
type Level uint8

// The levels.
const (
	Failure   Level = iota // a promise was broken, or the run does not prove what it should
	Undecided              // an oracle gave up: never the same as good
	Permitted              // counted, because the kind's mode does not promise more
)

var levels = [...]string{Failure: "FAILURE", Undecided: "UNDECIDED", Permitted: "permitted"}

// String gives the word that is printed.
func (l Level) String() string { return levels[min(int(l), len(levels)-1)] }

// Finding is something that an oracle has found.
type Finding struct {
	Rule     string // the oracle, and what of it
	Level    Level
	Kind     string // empty where it is of no grain
	Identity string
	At       time.Duration // when it shows; zero if at no moment
	Text     string

	// What is marked in a picture.
	Operations []*Operation
	Turns      []*Turn
	// Shortest is the shortest offending history that was found, of a failure of linearizability.
	Shortest *Shortest
}

// Count is a figure of a report.
type Count struct {
	Name  string
	Value int64
}

// Report is what an oracle returns.
type Report struct {
	Oracle   string
	Findings []Finding
	// More counts findings beyond those that are kept, of each level.
	More   [len(levels)]int
	Counts []Count
	Notes  []string // what was seen, for people
}

// maxFindings bounds the findings that a report keeps, of each level.
const maxFindings = 50

// find notes a finding.
func (r *Report) find(f Finding) {
	kept := 0
	for i := range r.Findings {
		if r.Findings[i].Level == f.Level {
			kept++
		}
	}
	if kept >= maxFindings {
		r.More[f.Level]++
		return
	}
	r.Findings = append(r.Findings, f)
}

// countf adds to a figure.
func (r *Report) countf(n int64, format string, args ...any) {
	name := fmt.Sprintf(format, args...)
	for i := range r.Counts {
		if r.Counts[i].Name == name {
			r.Counts[i].Value += n
			return
		}
	}
	r.Counts = append(r.Counts, Count{name, n})
}

// Found is the number of findings of a level.
func (r *Report) Found(l Level) int {
	n := r.More[l]
	for i := range r.Findings {
		if r.Findings[i].Level == l {
			n++
		}
	}
	return n
}

// Counted gives a figure by its name, zero if there is none.
func (r *Report) Counted(name string) int64 {
	for _, c := range r.Counts {
		if c.Name == name {
			return c.Value
		}
	}
	return 0
}

// Options of [Judge]. The zero value has the defaults.
type Options struct {
	// Timeout bounds the check of one identity's operations. Defaults to 20 s.
	Timeout time.Duration
	// Memory bounds what porcupine remembers in it, roughly, in bytes: that grows with each step. Defaults to 256 MiB.
	Memory int
	// Shorten is for how many identities that failed the shortest history is looked for. Defaults to 3; negative for none.
	Shorten int
	// ShortenFor bounds the search for each of them. Defaults to 20 s.
	ShortenFor time.Duration
	// Slack is by how much a gauge may be higher afterwards. Defaults to [DefaultSlack].
	Slack *Slack
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	if o.Shorten == 0 {
		o.Shorten = 3
	}
	if o.ShortenFor <= 0 {
		o.ShortenFor = 20 * time.Second
	}
	if o.Slack == nil {
		s := DefaultSlack
		o.Slack = &s
	}
	return o
}

// grain is a kind and an identity.
type grain struct{ kind, identity string }

// Mode is what a kind promises by the plan; empty if that does not say.
func (h *History) Mode(kind string) Mode {
	for _, p := range h.Plans {
		if m, ok := p.Modes[kind]; ok {
			return m
		}
	}
	return ""
}

// stateLevel is how it counts that what a kind keeps was not kept: where a store refuses those with a successor, best effort is no excuse.
func (h *History) stateLevel(kind string) Level {
	for _, p := range h.Plans {
		if p.Stored[kind] {
			return Failure
		}
	}
	return h.level(kind)
}

// level is how a broken promise of one activation counts for a kind.
func (h *History) level(kind string) Level {
	if h.Mode(kind) == BestEffort {
		return Permitted
	}
	return Failure
}
