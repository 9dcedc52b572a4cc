package lookup

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

func TestStrategies(t *testing.T) {
	hosts := make([]driver.Member, 3)
	for i := range hosts {
		hosts[i] = driver.Member{ID: driver.MemberID("abc"[i : i+1]), Kinds: []driver.Kind{
			{Name: "first", Strategy: "first"}, {Name: "k"}, {Name: "panics", Strategy: "panics"},
			{Name: "stray", Strategy: "stray"}, {Name: "unknown", Strategy: "nobody's"},
		}}
	}
	var hint driver.MemberID
	strategies := map[string]placement.Pick{
		"first": func(_ driver.Identity, _ []driver.Member, _ uint64, h driver.MemberID) int { hint = h; return 0 },
		"panics": func(id driver.Identity, _ []driver.Member, _ uint64, _ driver.MemberID) int {
			panic("cannot place " + id.Name)
		},
		"stray": func(driver.Identity, []driver.Member, uint64, driver.MemberID) int { return 3 },
	}
	for _, c := range []struct {
		kind string
		want int
		says string
	}{
		{"k", 2, ""},
		{"first", 0, ""},
		{"panics", 2, "it panicked: cannot place 1"},
		{"stray", 2, "none of those to choose from"},
		{"unknown", 2, "its configuration needs the strategy"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			var log bytes.Buffer
			chooser := NewChooser(&Config{Self: "owner", Strategies: strategies, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			for _, name := range []string{"1", "2"} {
				if i := chooser.Pick(driver.Identity{Kind: c.kind, Name: name}, hosts, 5, "b"); i != c.want {
					t.Errorf("picked %d, want %d", i, c.want)
				}
			}
			if !strings.Contains(log.String(), c.says) || c.says != "" && !strings.Contains(log.String(), "member=owner") {
				t.Errorf("the log says %q; want %q of the owner", &log, c.says)
			}
			if n := strings.Count(log.String(), "\n"); n > 1 || n == 1 && c.says == "" {
				t.Errorf("%d lines:\n%s", n, &log)
			}
		})
	}
	if hint != "b" {
		t.Errorf("the strategy was told that %q calls", hint)
	}
}
