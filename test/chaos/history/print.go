package history

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes the verdict as text: figures, then findings, the worst first.
func (v *Verdict) Print(w io.Writer) {
	fmt.Fprintf(w, "%s, %v", v.word(), (v.Last - v.First).Round(time.Millisecond))
	if v.Plan != nil {
		fmt.Fprintf(w, ", seed %d: %s", v.Plan.Seed, v.Plan.Text)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range v.Reports {
		for _, c := range v.Reports[i].Counts {
			fmt.Fprintf(table, "  %s\t%d\t%s\n", v.Reports[i].Oracle, c.Value, c.Name)
		}
	}
	if v.Torn > 0 {
		fmt.Fprintf(table, "  record\t%d\ttorn lines\n", v.Torn)
	}
	fmt.Fprintf(table, "  calls\t%d\tanswered\n  calls\t%d\tfailed\n", v.Served.Answered, v.Served.Failed)
	_ = table.Flush() // as with Fprintf, a writer that fails is the caller's affair
	for i := range v.Reports {
		for _, note := range v.Reports[i].Notes {
			fmt.Fprintf(w, "  %s: %s\n", v.Reports[i].Oracle, note)
		}
	}
	v.printServed(w)
	for level := Failure; level <= Permitted; level++ {
		v.printFindings(w, level)
	}
}

// maxCauses bounds the causes of failed calls that are printed.
const maxCauses = 20

func (v *Verdict) printServed(w io.Writer) {
	for _, o := range v.Served.Worst {
		fmt.Fprintf(w, "  worst unavailability: %s, from %s\n", o, v.moment(o.From))
	}
	for i, c := range v.Served.Causes {
		if i == maxCauses {
			fmt.Fprintf(w, "  … and %d causes more\n", len(v.Served.Causes)-i)
			break
		}
		fmt.Fprintf(w, "  failed calls: %d, %s\n", c.Value, c.Name)
	}
}

func (v *Verdict) printFindings(w io.Writer, level Level) {
	for _, f := range v.Findings(level) {
		fmt.Fprintf(w, "\n%s: %s", f.Level, f.Rule)
		if f.Kind != "" {
			fmt.Fprintf(w, ", %s", f.Kind)
		}
		if f.Identity != "" {
			fmt.Fprintf(w, "/%s", f.Identity)
		}
		if f.At != 0 {
			fmt.Fprintf(w, ", at %s", v.moment(f.At))
		}
		fmt.Fprintf(w, "\n  %s\n", strings.ReplaceAll(f.Text, "\n", "\n  "))
		switch {
		case f.Shortest != nil:
			f.Shortest.print(w, v)
		case len(f.Operations) > 0:
			printOperations(w, v, f.Operations)
		}
		for _, t := range f.Turns {
			fmt.Fprintf(w, "  turn of %s, token %s, recorded by %s, from %s to %s\n", t.Member, t.Token, t.By, v.moment(t.Begin), v.moment(t.End))
		}
	}
	for i := range v.Reports {
		if n := v.Reports[i].More[level]; n > 0 {
			fmt.Fprintf(w, "\n%s: %d more of %s\n", level, n, v.Reports[i].Oracle)
		}
	}
}

// moment is a time since the run began, in seconds.
func (v *Verdict) moment(at time.Duration) string {
	if at == Never {
		return "?"
	}
	return fmt.Sprintf("%.6f", (at - v.First).Seconds())
}

// print writes the shortest history as a table.
func (s *Shortest) print(w io.Writer, v *Verdict) {
	fmt.Fprintf(w, "  the shortest of its histories that fails: %d of %d operations, %d of which had begun by %s; an answer that came later is \"?\"\n",
		len(s.Operations), s.Of, s.Until, v.moment(s.At))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  who\tfrom\tto\twhat: result\ttoken\tcall")
	for _, c := range s.calls {
		end, token := v.moment(c.End), c.Token
		if c.open {
			end, token = "?", Token{}
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", c.Client, v.moment(c.Start), end, c, token, c.Call)
	}
	_ = table.Flush()
	if note := s.leftOut(); note != "" {
		fmt.Fprintf(w, "  %s\n", note)
	}
}

// leftOut explains why the numbers of what is left do not follow on each other.
func (s *Shortest) leftOut() string {
	if s.sort == &registers || len(s.Operations) == s.Until {
		return ""
	}
	return "what is left out is in the sums, lengths and lists above; without it they would be: " + s.plain()
}

func (s *Shortest) plain() string {
	var all []string
	for _, c := range s.calls {
		switch {
		case c.open:
			all = append(all, "?")
		case c.list != nil:
			all = append(all, shortened(ListText(c.list.values()...)))
		default:
			all = append(all, strconv.FormatInt(c.sum, 10))
		}
	}
	return strings.Join(all, ", ")
}

func printOperations(w io.Writer, v *Verdict, operations []*Operation) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, op := range operations {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", op.Client, v.moment(op.Start), v.moment(op.End), describe(op), op.Token, op.Call)
	}
	_ = table.Flush()
}
