package demo

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Colourful reports whether a file is a terminal that wants colours: one that
// is not dumb, and whose user did not set NO_COLOR.
func Colourful(f *os.File, getenv func(string) string) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// manyWaiting is how many waiting calls are worth a colour: a few always are.
const manyWaiting = 10

// headEvery is after how many lines the head of the table comes again.
const headEvery = 20

// report writes what people read: a table with a line a second, and events
// between the lines.
type report struct {
	colour  bool
	columns int // of members

	mu    sync.Mutex // guards out and lines
	out   io.Writer
	lines int
}

// row is one line of the table. Of members that are not there yet there are no
// grains; of those that are gone, -1.
type row struct {
	at      time.Duration
	members int
	grains  []int
	second
}

type paint string

const (
	plain  paint = ""
	bold   paint = "1"
	faint  paint = "2"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
)

func (r *report) painted(p paint, text string) string {
	if !r.colour || p == plain || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}

// textf writes lines that belong to no table.
func (r *report) textf(p paint, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.out, r.painted(p, fmt.Sprintf(format, args...)))
}

// eventf writes a line between those of the table.
func (r *report) eventf(at time.Duration, p paint, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n          ")
	r.textf(p, "%5.1fs  %s", at.Seconds(), text)
}

// row writes a line of the table, and its head where that is due.
func (r *report) row(w row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines%headEvery == 0 {
		fmt.Fprintln(r.out, r.painted(faint, r.head()))
	}
	r.lines++
	var line strings.Builder
	fmt.Fprintf(&line, "%5.0fs %7d ", w.at.Seconds(), w.members)
	for i := range r.columns {
		switch {
		case i >= len(w.grains):
			fmt.Fprintf(&line, "%6s", "")
		case w.grains[i] < 0:
			line.WriteString(r.painted(red, fmt.Sprintf("%6s", "-")))
		default:
			fmt.Fprintf(&line, "%6d", w.grains[i])
		}
	}
	fmt.Fprintf(&line, " %8d", w.calls)
	line.WriteString(r.marked(yellow, 8, w.waiting, manyWaiting))
	line.WriteString(r.marked(red, 7, w.errors, 1))
	fmt.Fprintf(&line, " %7s %7s", millis(w.p50, w.calls), millis(w.p99, w.calls))
	fmt.Fprintln(r.out, line.String())
}

// marked paints a number from a bound on.
func (r *report) marked(p paint, width, n, from int) string {
	text := fmt.Sprintf(" %*d", width-1, n)
	if n < from {
		return text
	}
	return r.painted(p, text)
}

func (r *report) head() string {
	var line strings.Builder
	line.WriteString("  time members ")
	for i := range r.columns {
		fmt.Fprintf(&line, "%6s", "on "+strconv.Itoa(i+1))
	}
	line.WriteString("  calls/s waiting errors  p50 ms  p99 ms")
	return line.String()
}

// verdict writes the claims, each with whether it held.
func (r *report) verdict(claims []claim) {
	r.textf(bold, "\nWhat was shown:")
	for _, c := range claims {
		mark := map[state]string{
			shown: r.painted(green, "true  "), refuted: r.painted(red, "FALSE "), unseen: r.painted(yellow, "unseen"),
		}[c.state]
		r.textf(plain, "  %s  %s", mark, strings.ReplaceAll(c.text, "\n", "\n          "))
	}
}

// millis gives a latency in milliseconds; a dash if nothing was measured.
func millis(d time.Duration, of int) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case of == 0:
		return "-"
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}

// seconds gives a duration as people say it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// thousands groups the digits of a number.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// none gives a number, and zero as a word.
func none(n int) string {
	if n == 0 {
		return "none"
	}
	return thousands(n)
}

// spread tells where grains are: "52 on 2, 48 on 3".
func spread(on map[int]int) string {
	var words []string
	for _, member := range sortedKeys(on) {
		words = append(words, fmt.Sprintf("%d on %d", on[member], member))
	}
	return strings.Join(words, ", ")
}

func sortedKeys(m map[int]int) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
