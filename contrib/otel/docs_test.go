package granaryotel

// The table of metrics in docs/reference/metrics.md is made of the instruments; with
// -args -docs.write it is written.

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var writeDocs = flag.Bool("docs.write", false, "write the table of metrics in docs/reference/metrics.md")

const (
	docs  = "../../docs/reference/metrics.md"
	begin = "<!-- metrics: begin -->\n"
	end   = "<!-- metrics: end -->"
)

func metricsTable() string {
	var t strings.Builder
	t.WriteString("| metric | kind | unit | attributes | what |\n|---|---|---|---|---|\n")
	for _, i := range instruments {
		attributes := make([]string, len(i.attributes))
		for j, a := range i.attributes {
			attributes[j] = "`" + a + "`"
		}
		fmt.Fprintf(&t, "| `%s` | %s | `%s` | %s | %s |\n", i.name, i.kind, i.unit, strings.Join(attributes, ", "), i.description)
	}
	return t.String()
}

func TestTableInTheDocs(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, has := strings.Cut(string(text), begin)
	table, after, ends := strings.Cut(rest, end)
	if !has || !ends {
		t.Fatalf("%s has no place for the table: %q and %q", docs, begin, end)
	}
	if *writeDocs {
		if err := os.WriteFile(docs, []byte(before+begin+metricsTable()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != metricsTable() {
		t.Errorf("the table in %s is not that of the instruments: go test ./contrib/otel -run TestTableInTheDocs -args -docs.write\n%s", docs, metricsTable())
	}
}
