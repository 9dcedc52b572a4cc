package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out, columns: 4}
	r.row(row{at: time.Second, members: 3, grains: []int{100, 99, 101}, second: second{calls: 400, waiting: 1, p50: 512 * time.Microsecond, p99: 3210 * time.Microsecond}})
	r.eventf(5*time.Second, red, "! SIGKILL to member %d\nit dies", 1)
	r.row(row{at: 6 * time.Second, members: 2, grains: []int{-1, 150, 150, 7}, second: second{calls: 390, waiting: 44, errors: 2, p50: time.Millisecond, p99: 1234 * time.Millisecond}})
	r.row(row{at: 7 * time.Second, grains: []int{-1}})
	r.verdict([]claim{{"it held", shown}, {"it did not:\nthe cause", refuted}, {"not reached", unseen}})
	want := `  time members   on 1  on 2  on 3  on 4  calls/s waiting errors  p50 ms  p99 ms
    1s       3    100    99   101            400       1      0     0.5     3.2
  5.0s  ! SIGKILL to member 1
          it dies
    6s       2      -   150   150     7      390      44      2     1.0    1234
    7s       0      -                          0       0      0       -       -

What was shown:
  true    it held
  FALSE   it did not:
          the cause
  unseen  not reached
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

// Colours are all that they add.
func TestReportInColour(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out, columns: 2, colour: true}
	r.row(row{at: time.Second, grains: []int{-1, 5}, second: second{waiting: manyWaiting, errors: 1}})
	r.verdict([]claim{{"it held", shown}})
	text := out.String()
	for _, painted := range []string{"\x1b[31m     -\x1b[0m", "\x1b[33m      10\x1b[0m", "\x1b[31m      1\x1b[0m", "\x1b[32mtrue  \x1b[0m"} {
		if !strings.Contains(text, painted) {
			t.Errorf("no %q in %q", painted, text)
		}
	}
}

func TestHeadComesAgain(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out}
	for range headEvery + 1 {
		r.row(row{})
	}
	if n := strings.Count(out.String(), "calls/s"); n != 2 {
		t.Errorf("%d heads, want 2", n)
	}
}

func TestColourful(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // as much of a terminal as a test has
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	env := func(pairs map[string]string) func(string) string {
		return func(name string) string { return pairs[name] }
	}
	for name, c := range map[string]struct {
		file *os.File
		env  map[string]string
		want bool
	}{
		"file":     {file, nil, false},
		"terminal": {device, map[string]string{"TERM": "xterm"}, true},
		"NO_COLOR": {device, map[string]string{"NO_COLOR": "1"}, false},
		"dumb":     {device, map[string]string{"TERM": "dumb"}, false},
	} {
		if got := Colourful(c.file, env(c.env)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	if got := spread(map[int]int{3: 51, 1: 50}); got != "50 on 1, 51 on 3" {
		t.Errorf("spread %q", got)
	}
}
