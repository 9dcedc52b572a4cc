package exampletest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Any is a line of a README that stands for any lines, or none.
const Any = "…"

// Shown gives the output that the example's README.md shows in one of its blocks ```console, counted from 0: the lines
// without the commands, which begin with "$ ".
func Shown(t testing.TB, block int) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```console\n")[1:]
	if block >= len(blocks) {
		t.Fatalf("README.md has %d blocks ```console; block %d is wanted", len(blocks), block)
	}
	shown, _, _ := strings.Cut(blocks[block], "```")
	var lines []string
	for line := range strings.Lines(shown) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "$ ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Compare fails the test unless a program has printed the lines that are shown. A line [Any] stands for any lines.
// Ports, and times as 1.5s, are other ones in each run.
func Compare(t testing.TB, shown, printed []string) {
	t.Helper()
	if !alike(shown, printed) {
		t.Errorf("README.md shows:\n%s\n\nand the program printed:\n%s", strings.Join(shown, "\n"), strings.Join(printed, "\n"))
	}
}

func alike(shown, printed []string) bool {
	switch {
	case len(shown) == 0:
		return len(printed) == 0
	case shown[0] == Any:
		return alike(shown[1:], printed) || len(printed) > 0 && alike(shown, printed[1:])
	default:
		return len(printed) > 0 && plain(shown[0]) == plain(printed[0]) && alike(shown[1:], printed[1:])
	}
}

var (
	port = regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`)
	took = regexp.MustCompile(`\b\d+(\.\d+)?(ms|s)\b`)
)

// plain takes out of a line what is another in each run.
func plain(line string) string {
	return took.ReplaceAllString(port.ReplaceAllString(line, "$1:port"), "time")
}
