package latch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mostLines is what a provider may take with its tests.
const mostLines = 400

// The page shows code of this folder, as it is.
func TestPageShowsThisCode(t *testing.T) {
	page, err := os.ReadFile("../../../docs/adding-a-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	lines := 0
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
		if file != "page_test.go" {
			lines += strings.Count(string(text), "\n")
		}
	}
	if lines > mostLines {
		t.Errorf("the provider has %d lines with its tests; a newcomer should need no more than %d", lines, mostLines)
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) < 8 {
		t.Errorf("the page has %d blocks of Go; want those that matter", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(code.String(), block) {
			t.Errorf("docs/adding-a-provider.md shows what is not the code any more:\n%s", block)
		}
	}
}
