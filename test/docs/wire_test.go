package docs

import (
	"path/filepath"
	"strings"
	"testing"
)

// The page of the wire protocol knows each .proto file below wire/, and names nothing that they do not have.
func TestWireProtocol(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "wire/*/*.proto"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d .proto files, %v", len(files), err)
	}
	for _, p := range pages(t) {
		if p.name != "docs/reference/wire-protocol.md" {
			continue
		}
		for _, file := range files {
			if !strings.Contains(p.text, "("+filepath.ToSlash(file)+")") {
				t.Errorf("%s has no link to %s", p.name, file)
			}
		}
		return
	}
	t.Error("there is no page of the wire protocol")
}
