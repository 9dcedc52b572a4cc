package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the house, from the folder of this test.
const root = "../.."

// A page is a Markdown file.
type page struct {
	name string // slashed, from the root
	text string
}

// A block is a fenced piece of a page.
type block struct {
	page     string
	line     int // of its first line of code, from 1
	language string
	text     string
	notes    []note // the comments for this test that stand before it, behind the block before
}

// A note is a comment <!-- go: … -->: its first word, the rest of the first line, and the lines below.
type note struct {
	word, rest, body string
	line             int // of the first line of body
}

// pages reads all Markdown files of the house, without folders that the go command ignores.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all = append(all, page{filepath.ToSlash(name), string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d pages: the test does not see the documents", len(all))
	}
	return all
}

var (
	fence    = regexp.MustCompile("^\\s*```(.*)$")
	noteLine = regexp.MustCompile(`^<!-- go: (\w+)(.*)$`)
)

// blocks lists the fenced blocks of a page, with their notes.
func (p page) blocks() []block {
	var found []block
	var notes []note
	inside, inNote := false, false
	number := 0
	for line := range strings.Lines(p.text) {
		number++
		bare := strings.TrimRight(line, "\n")
		mark := fence.FindStringSubmatch(bare)
		opening := noteLine.FindStringSubmatch(bare)
		switch {
		case inNote && strings.HasPrefix(bare, "-->"):
			inNote = false
		case inNote:
			notes[len(notes)-1].body += line
		case mark != nil && inside:
			inside = false
		case mark != nil:
			found = append(found, block{page: p.name, line: number + 1, language: strings.TrimSpace(mark[1]), notes: notes})
			inside, notes = true, nil
		case inside:
			found[len(found)-1].text += line
		case opening != nil:
			rest, closed := strings.CutSuffix(opening[2], "-->")
			// In `func(x T) R` the word is func and the rest begins with its parameters.
			notes = append(notes, note{word: opening[1], rest: strings.TrimSpace(rest), line: number + 1})
			inNote = !closed
		}
	}
	return found
}

// prose gives the lines of a page that are no code, each with its number.
func (p page) prose() map[int]string {
	lines := make(map[int]string)
	inside := false
	for i, line := range strings.Split(p.text, "\n") {
		switch {
		case fence.MatchString(line):
			inside = !inside
		case !inside:
			lines[i+1] = line
		}
	}
	return lines
}

// fragments are what a link to the page may name behind "#", as GitHub makes them of headings.
func (p page) fragments() []string {
	var found []string
	lines := p.prose()
	for number := 1; number <= strings.Count(p.text, "\n")+1; number++ {
		line, prose := lines[number]
		if heading := strings.TrimLeft(line, "#"); prose && heading != line && strings.HasPrefix(heading, " ") {
			base, name := fragment(heading), fragment(heading)
			for i := 1; slices.Contains(found, name); i++ {
				name = base + "-" + strconv.Itoa(i)
			}
			found = append(found, name)
		}
		for _, m := range regexp.MustCompile(`<a (?:id|name)="([^"]+)"`).FindAllStringSubmatch(line, -1) {
			found = append(found, m[1])
		}
	}
	return found
}

var (
	linkText    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	punctuation = regexp.MustCompile(`[^\p{L}\p{N}\p{M} _-]`)
)

func fragment(heading string) string {
	heading = linkText.ReplaceAllString(strings.TrimSpace(heading), "$1")
	heading = punctuation.ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(heading, " ", "-")
}
