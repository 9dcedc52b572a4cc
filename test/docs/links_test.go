package docs

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	inlineLink = regexp.MustCompile(`!?\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\)|\[[^\]]*\])*\]\(([^()\s]*(?:\([^()]*\)[^()\s]*)?)(?:\s+"[^"]*")?\)`)
	definition = regexp.MustCompile(`^\[[^\]]+\]:\s+(\S+)`)
	attribute  = regexp.MustCompile(`<(?:img|a|source)\b[^>]*?\b(?:src|href|srcset)="([^"]+)"`)
	imageText  = regexp.MustCompile(`!\[[^\]]*\]\(([^)\s]+)\)`)
	codeSpan   = regexp.MustCompile("`[^`]*`")
	comment    = regexp.MustCompile(`<!--.*?-->`)
)

// links gives the targets in one line of prose.
func links(line string) []string {
	line = comment.ReplaceAllString(codeSpan.ReplaceAllString(line, "``"), "")
	var found []string
	for _, expression := range []*regexp.Regexp{inlineLink, definition, attribute, imageText} {
		for _, m := range expression.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(found, m[1]) {
				found = append(found, m[1])
			}
		}
	}
	return found
}

// brokenLinks tells of each link of the pages that leads nowhere. exists says whether the tree has a file or folder.
func brokenLinks(pages []page, exists func(name string) bool) (broken []string, checked int) {
	byName := make(map[string]page)
	for _, p := range pages {
		byName[p.name] = p
	}
	for _, p := range pages {
		for number, line := range p.prose() {
			for _, target := range links(line) {
				checked++
				if why := p.follow(target, byName, exists); why != "" {
					broken = append(broken, fmt.Sprintf("%s:%d: %s: %s", p.name, number, target, why))
				}
			}
		}
	}
	slices.Sort(broken)
	return broken, checked
}

// follow says what is wrong with a link of the page, nothing if it is right.
func (p page) follow(target string, byName map[string]page, exists func(name string) bool) string {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return err.Error()
	case target == "":
		return "the link is empty"
	case u.Scheme == "mailto":
		return ""
	case u.Scheme != "" || u.Host != "":
		if u.Scheme != "https" && u.Scheme != "http" || !strings.Contains(u.Host, ".") {
			return "a link to another host is https://host.domain/…"
		}
		return ""
	case strings.HasPrefix(u.Path, "/"):
		return "give a path from the page's own folder"
	}
	name := p.name
	if u.Path != "" {
		name = path.Join(path.Dir(p.name), u.Path)
	}
	if strings.HasPrefix(name, "../") || !exists(name) {
		return "there is no " + name
	}
	if u.Fragment == "" {
		return ""
	}
	page, isPage := byName[name]
	if !isPage {
		return name + " is no page, so that it has no headings"
	}
	if !slices.Contains(page.fragments(), u.Fragment) {
		return fmt.Sprintf("%s has no heading of that name; it has %s", name, strings.Join(page.fragments(), ", "))
	}
	return ""
}

// Every link of every page leads somewhere.
func TestLinks(t *testing.T) {
	broken, checked := brokenLinks(pages(t), func(name string) bool {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
		return err == nil
	})
	for _, b := range broken {
		t.Error(b)
	}
	if checked < 50 {
		t.Errorf("found %d links: the test does not see them", checked)
	}
	t.Logf("%d links", checked)
}

// Links that lead nowhere are found, and right ones are not.
func TestBrokenLinksAreFound(t *testing.T) {
	all := []page{
		{"README.md", "# A house\n[map](docs/a.md) [x](docs/a.md#the-end) ![p](docs/p.svg)\n`[no](link.md)` <!-- [no](link.md) -->\n```\n[no](link.md)\n```\n"},
		{"docs/a.md", "# A\n## The `end`\n[up](../README.md#a-house) [here](#the-end) [site](https://example.com/x)\n" +
			"[gone](b.md)\n[part](../README.md#nothing)\n[odd](https://nowhere)\n[![pic](gone.png)](a.md)\n<img src=\"none.svg\">\n[out](../../x.md)\n[abs](/docs/a.md)\n"},
	}
	files := []string{"README.md", "docs/a.md", "docs/p.svg"}
	broken, checked := brokenLinks(all, func(name string) bool { return slices.Contains(files, name) })
	want := []string{
		"docs/a.md:10: /docs/a.md:", "docs/a.md:4: b.md:", "docs/a.md:5: ../README.md#nothing:", "docs/a.md:6: https://nowhere:",
		"docs/a.md:7: gone.png:", "docs/a.md:8: none.svg:", "docs/a.md:9: ../../x.md:",
	}
	for i, b := range broken {
		if i >= len(want) || !strings.HasPrefix(b, want[i]) {
			t.Errorf("%q was found; want %q", broken, want)
			break
		}
	}
	if len(broken) != len(want) || checked != 14 {
		t.Errorf("%d of %d links are broken: %q; want %d of 14", len(broken), checked, broken, len(want))
	}
}

var mention = regexp.MustCompile(`\bdocs/[A-Za-z0-9_./-]+\.(?:md|png|svg)\b`)

// Comments and texts of the tree name documents that exist.
func TestMentionsOfDocuments(t *testing.T) {
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Skipf("git lists no files, as in a copy without its history: %v", err)
	}
	found := 0
	for name := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		if strings.HasPrefix(name, "test/docs/") || name == "tools/programs/check_test.go" { // which make names up
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue // deleted, a folder of another repository, or no text
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, at := range mention.FindAllStringIndex(line, -1) {
				if at[0] > 0 && strings.ContainsAny(line[at[0]-1:at[0]], "/.") && !strings.HasSuffix(line[:at[0]], "../") {
					continue // the docs folder of something else
				}
				found++
				if _, err := os.Stat(filepath.Join(root, line[at[0]:at[1]])); err != nil {
					t.Errorf("%s:%d names %s, which is not there", name, i+1, line[at[0]:at[1]])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d mentions of documents: the test does not see them", found)
	}
}
