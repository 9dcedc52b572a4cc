package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// shown tells whether a block is shown and not completed, and which source of the tree it has to stand in; none for the
// code of another library. from is the source of all blocks of the page, from where it says so.
func (b block) shown(from *string) (source string, shown bool) {
	for _, n := range b.notes {
		switch n.word {
		case "other":
			return "", true
		case "from":
			source = n.rest
		case "all":
			*from = strings.TrimSpace(strings.TrimPrefix(n.rest, "from "))
		}
	}
	if source == "" {
		source = *from
	}
	return source, source != ""
}

// cut is a line of a block at which something of the source was left out.
var cut = regexp.MustCompile(`(?m)^\s*(?:// )?…\s*$\n?`)

// standsIn says what of the block is in no file of the source, which is a Go file or a folder of them.
func (b block) standsIn(source string) error {
	if source == "" {
		return nil
	}
	pattern := filepath.Join(root, filepath.FromSlash(source))
	if !strings.HasSuffix(source, ".go") {
		pattern = filepath.Join(pattern, "*.go")
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s:%d: there is no Go file in %s", b.page, b.line, source)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all.Write(text)
	}
	for _, piece := range cut.Split(b.text, -1) {
		if piece = strings.Trim(piece, "\n"); !strings.Contains(all.String(), piece) {
			return fmt.Errorf("%s:%d: %s does not have this any more:\n%s", b.page, b.line, source, piece)
		}
	}
	return nil
}
