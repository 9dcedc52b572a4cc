package history

import (
	"fmt"
	"strings"
	"time"
)

// Slack is by how much a gauge may be higher after faults than before.
type Slack struct {
	Heap        uint64 // bytes
	Goroutines  int
	Descriptors int
	Connections int
}

// DefaultSlack has room for what comes and goes by itself: buffers that are kept, timers, a connection that is just made.
var DefaultSlack = Slack{Heap: 16 << 20, Goroutines: 20, Descriptors: 10, Connections: 4}

// CheckGauges compares what each process held before and after faults: two gauges of the same [Gauge.Mark]. One that is higher
// afterwards by more than the slack is a leak. So is one that has grown from a process's first gauge to its last, as a leak may be
// small each time. An "after" of a process without its "before" is compared with that of the first process of its [Station]; if
// there is none it compares with nothing and is counted. So is a "before" whose process has ended.
func CheckGauges(h *History, o Options) Report {
	o = o.withDefaults()
	r := Report{Oracle: "gauges"}
	type pair struct{ process, mark string }
	before := map[pair]*Gauge{}
	stations := map[pair]*Gauge{} // the first before of each
	first, last := map[string]*Gauge{}, map[string]*Gauge{}
	for _, g := range h.Gauges {
		r.countf(1, "gauges")
		if !g.After {
			before[pair{g.Process, g.Mark}] = g
			if at := (pair{Station(g.Process), g.Mark}); stations[at] == nil {
				stations[at] = g
			}
			if first[g.Process] == nil {
				first[g.Process] = g
			}
			continue
		}
		b := before[pair{g.Process, g.Mark}]
		if b == nil {
			if b = stations[pair{Station(g.Process), g.Mark}]; b == nil {
				r.countf(1, "gauges after, with none before")
				continue
			}
			r.countf(1, "gauges compared with that of an earlier process")
			compared(&r, b, g, o.Slack, "mark "+g.Mark+" of "+b.Process)
			continue
		}
		delete(before, pair{g.Process, g.Mark})
		last[g.Process] = g
		compared(&r, b, g, o.Slack, "mark "+g.Mark)
	}
	r.countf(int64(len(before)), "gauges before, with none after")
	for _, process := range sortedKeys(last) {
		if f, l := first[process], last[process]; f.Mark != l.Mark {
			leak(&r, f, l, o.Slack, fmt.Sprintf("from mark %s to mark %s", f.Mark, l.Mark))
		}
	}
	return r
}

// Station is the place of a process in a run, of which it is one life: its name without the number behind the last dot, as
// [Open] has it.
func Station(process string) string {
	if dot := strings.LastIndexByte(process, '.'); dot > 0 {
		return process[:dot]
	}
	return process
}

// compared notes two gauges, and compares them.
func compared(r *Report, before, after *Gauge, s *Slack, where string) {
	r.countf(1, "gauges compared")
	r.Notes = append(r.Notes, fmt.Sprintf("%s then %s: heap %.1f then %.1f MiB, goroutines %d then %d, descriptors %d then %d, connections %d then %d",
		before.Process, after.Process, mebibytes(before.Heap), mebibytes(after.Heap), before.Goroutines, after.Goroutines,
		before.Descriptors, after.Descriptors, before.Connections, after.Connections))
	leak(r, before, after, s, where)
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

// leak compares two gauges of a process.
func leak(r *Report, before, after *Gauge, s *Slack, where string) {
	for _, q := range []struct {
		name                 string
		before, after, slack uint64
	}{
		{"bytes of heap", before.Heap, after.Heap, s.Heap},
		{"goroutines", uint64(before.Goroutines), uint64(after.Goroutines), uint64(s.Goroutines)},
		{"descriptors", uint64(before.Descriptors), uint64(after.Descriptors), uint64(s.Descriptors)},
		{"connections", uint64(before.Connections), uint64(after.Connections), uint64(s.Connections)},
	} {
		if q.after > q.before+q.slack {
			r.find(Finding{
				Rule: "leak", At: after.At,
				Text: fmt.Sprintf("%s has %d %s, had %d before (%s, %v ago); %d more are allowed", after.Process, q.after, q.name,
					q.before, where, (after.At - before.At).Round(time.Millisecond), q.slack),
			})
		}
	}
}
