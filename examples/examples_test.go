package examples

import (
	"os"
	"strings"
	"testing"
)

// The table of README.md has a row for each folder, with its question, and each folder's own README.md asks the same.
func TestTable(t *testing.T) {
	table, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{} // the questions, by folder
	for line := range strings.Lines(string(table)) {
		if cells := strings.Split(line, " | "); len(cells) == 4 && strings.HasPrefix(line, "| [") {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "| ["), "]")
			rows[name] = cells[1]
		}
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "internal" {
			continue
		}
		own, err := os.ReadFile(e.Name() + "/README.md")
		if err != nil {
			t.Error(err)
		}
		switch question := rows[e.Name()]; {
		case question == "":
			t.Errorf("README.md has no row for %s", e.Name())
		case !strings.Contains(strings.ReplaceAll(string(own), "\n", " "), "**"+question[:len(question)-1]):
			t.Errorf("%s/README.md does not ask %q in bold", e.Name(), question)
		}
		delete(rows, e.Name())
	}
	for name := range rows {
		t.Errorf("README.md has a row for %s, which is not there", name)
	}
}
