package redis

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/redis/redistest"
)

// The queries of docs/guides/identity-lookups.md do, with redis-cli, what is said there.
func TestQueriesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, err := New(server.Options()).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	era := driver.Era{EraID: driver.EraID{Number: 5, Founder: "m1-1"}, Incarnation: "views", Open: true}
	if err := s.WriteEra(t.Context(), driver.Era{}, era); err != nil {
		t.Fatal(err)
	}
	for id, member := range map[string]driver.MemberID{"Counter/alice": "m1", "Counter/bob": "m2", "Cart/alice": "m1"} {
		e := driver.Entry{Identity: identity(id), Member: member, Address: "10.0.0." + string(member[1:]) + ":4000", Epoch: 1, Era: era.EraID}
		if _, err := s.Claim(t.Context(), e, driver.Fence{}); err != nil {
			t.Fatal(err)
		}
	}
	document, err := os.ReadFile("../../docs/guides/identity-lookups.md")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]string{
		`redis-cli --scan --pattern 'granary:{shop:*}:entries' | while read -r k; do redis-cli hgetall "$k"; done`: {
			"Counter/alice", "Counter/bob", "Cart/alice", `"member":"m2","address":"10.0.0.2:4000"`},
		`redis-cli --scan --pattern 'granary:{shop:*}:entries' | while read -r k; do redis-cli hvals "$k"; done | grep -o '"address":"[^"]*"' | sort | uniq -c`: {
			`2 "address":"10.0.0.1:4000"`, `1 "address":"10.0.0.2:4000"`},
		`redis-cli --scan --pattern 'granary:{shop:*}:entries' | while read -r k; do redis-cli hkeys "$k"; done | cut -d/ -f1 | sort | uniq -c`: {
			"1 Cart", "2 Counter"},
		`redis-cli hgetall 'granary:{shop:era}:era'`: {"incarnation", "views", "open"},
	} {
		if !strings.Contains(string(document), query) {
			t.Errorf("the documentation does not have %s", query)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, port, _ := net.SplitHostPort(server.Address)
		said, err := exec.CommandContext(ctx, "bash", "-c", strings.ReplaceAll(query, "redis-cli ", "redis-cli -p "+port+" ")).CombinedOutput()
		cancel()
		for _, part := range want {
			if err != nil || !strings.Contains(string(said), part) {
				t.Errorf("%s: %v, want %q in:\n%s", query, err, part, said)
			}
		}
	}
}
