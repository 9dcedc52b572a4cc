package ledger_test

import (
	"os"
	"strings"
	"testing"
)

// The page about tests shows code of this folder, as it is.
func TestPageShowsThisCode(t *testing.T) {
	page, err := os.ReadFile("../../docs/guides/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("account_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) != 2 {
		t.Errorf("the page has %d blocks of Go; want 2", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(string(code), strings.TrimSpace(block)) {
			t.Errorf("account_test.go has no longer what docs/guides/testing.md shows:\n%s", block)
		}
	}
}
