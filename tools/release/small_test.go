package main

import (
	"context"
	"maps"
	"strings"
	"testing"
)

// smallHouse are the files of a house with two published modules and one that is not.
var smallHouse = map[string]string{
	"CHANGELOG.md":            "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a door\n",
	"LICENSE":                 "yours\n",
	"go.work":                 "go 1.26.0\n\nuse (\n\t./cmd/granary\n\t.\n\t./test\n)\n",
	"go.mod":                  "module " + modulePath + "\n\ngo 1.26.0\n",
	"door/door.go":            "package door\n\nconst Open = true\n",
	"cmd/granary/go.mod":      leafMod("cmd/granary", "../.."),
	"cmd/granary/main.go":     "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\t_ \"" + modulePath + "/door\"\n)\n\nfunc main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfmt.Println(\"granary \" + info.Main.Version + \", small\")\n}\n",
	"test/go.mod":             leafMod("test", "../"),
	"test/doc.go":             "// Package test uses a door.\npackage test\n\nimport _ \"" + modulePath + "/door\"\n",
	"test/unnamed/go.mod":     "module example.com/unnamed\n",
	"test/unnamed/unnamed.go": "package unnamed\n",
}

func leafMod(dir, up string) string {
	return "module " + modulePath + "/" + dir + "\n\ngo 1.26.0\n\nrequire " + modulePath + " v0.0.0\n\nreplace " + modulePath + " => " + up + "\n"
}

func plant(t *testing.T, changes map[string]string) repository {
	t.Helper()
	r := newRepository(t)
	files := maps.Clone(smallHouse)
	maps.Copy(files, changes)
	for file, text := range files {
		write(t, r, file, text)
	}
	commit(t, r)
	return r
}

func releaseOf(root repository, version string) (string, error) {
	var out strings.Builder
	r := release{root: root.dir, version: version, day: aDay, out: &out}
	err := r.run(context.Background())
	return out.String(), err
}

// TestRelease makes a release for good, and the next.
func TestRelease(t *testing.T) {
	root := plant(t, nil)
	out, err := releaseOf(root, "v0.1.0")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "it says: granary v0.1.0, small"; !strings.Contains(out, want) {
		t.Errorf("there is no %q in:\n%s", want, out)
	}
	if want := "git push --atomic origin main v0.1.0 cmd/granary/v0.1.0"; !strings.Contains(out, want) {
		t.Errorf("there is no %q in:\n%s", want, out)
	}
	if tags := git(t, root, "tag"); tags != "cmd/granary/v0.1.0\nv0.1.0" {
		t.Errorf("tags:\n%s", tags)
	}
	if changed := git(t, root, "status", "--porcelain"); changed != "" {
		t.Errorf("the checkout has changes:\n%s", changed)
	}
	for file, want := range map[string]string{
		"v0.1.0:cmd/granary/go.mod": "module " + modulePath + "/cmd/granary\n\ngo 1.26.0\n\nrequire " + modulePath + " v0.1.0",
		"v0.1.0:test/go.mod":        strings.TrimSpace(strings.Replace(leafMod("test", "../"), "v0.0.0", "v0.1.0", 1)),
		"main:cmd/granary/go.mod":   strings.TrimSpace(leafMod("cmd/granary", "../..")),
		"main:test/go.mod":          strings.TrimSpace(leafMod("test", "../")),
		"main:CHANGELOG.md":         "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2027-03-01\n\n### Added\n\n- a door",
	} {
		if got := git(t, root, "show", file); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", file, got, want)
		}
	}
	if out, err := releaseOf(root, "v0.1.1"); err == nil || !strings.Contains(err.Error(), "nothing is listed") {
		t.Errorf("a release without anything new: error %v\n%s", err, out)
	}
	write(t, root, "CHANGELOG.md", strings.Replace(read(t, root.dir+"/CHANGELOG.md"), "[Unreleased]\n", "[Unreleased]\n\n- a window\n", 1))
	commit(t, root)
	if out, err := releaseOf(root, "v0.2.0"); err != nil {
		t.Errorf("the next release: %v\n%s", err, out)
	}
}

// What is wrong is said, and nothing is changed.
func TestReleaseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		version string
		changes map[string]string
		more    func(*testing.T, repository)
		want    string
	}{
		"no version":         {"", nil, nil, "make release VERSION=v0.1.0"},
		"no v":               {"0.1.0", nil, nil, `"0.1.0" is no version`},
		"short":              {"v0.1", nil, nil, `"v0.1" is no version`},
		"with metadata":      {"v0.1.0+linux", nil, nil, "is no version"},
		"an option":          {"--all", nil, nil, `"--all" is no version`},
		"v2":                 {"v2.0.0", nil, nil, "have to end with /v2"},
		"that of the tree":   {"v0.0.0", nil, nil, "stands for the tree itself"},
		"changes":            {"v0.1.0", nil, func(t *testing.T, r repository) { write(t, r, "door/new.go", "package door\n") }, "the checkout has changes"},
		"no branch":          {"v0.1.0", nil, func(t *testing.T, r repository) { git(t, r, "checkout", "--quiet", "--detach") }, "no branch is checked out"},
		"released before":    {"v0.1.0", nil, func(t *testing.T, r repository) { git(t, r, "tag", "cmd/granary/v0.1.0") }, "there is the tag cmd/granary/v0.1.0"},
		"no section":         {"v0.1.0", map[string]string{"CHANGELOG.md": "# Changelog\n"}, nil, `there is no section "## [Unreleased]"`},
		"an empty section":   {"v0.1.0", map[string]string{"CHANGELOG.md": "## [Unreleased]\n\n## [0.0.9]\n\n- a lock\n"}, nil, "nothing is listed"},
		"the section twice":  {"v0.1.0", map[string]string{"CHANGELOG.md": "## [Unreleased]\n\n- a door\n\n## [0.1.0] - 2026-01-01\n"}, nil, `there is the section "## [0.1.0]" already`},
		"another's replaced": {"v0.1.0", map[string]string{"cmd/granary/go.mod": leafMod("cmd/granary", "../..") + "replace example.com/x => example.com/y v1.0.0\n"}, nil, "cmd/granary/go.mod replaces example.com/x"},
		"needs a test":       {"v0.1.0", map[string]string{"cmd/granary/go.mod": leafMod("cmd/granary", "../..") + "require " + modulePath + "/test v0.0.0\n"}, nil, "which is not published"},
		"a circle":           {"v0.1.0", map[string]string{"go.mod": "module " + modulePath + "\nrequire " + modulePath + "/cmd/granary v0.0.0\n"}, nil, "in a circle"},
		"misnamed":           {"v0.1.0", map[string]string{"test/go.mod": "module example.com/test\n"}, nil, "has to be called " + modulePath + "/test"},
		"does not compile":   {"v0.1.0", map[string]string{"door/door.go": "package door\n\nvar open\n"}, nil, "go install"},
		"another version":    {"v0.1.0", map[string]string{"cmd/granary/main.go": "package main\n\nfunc main() { println(\"granary v0.0.9, small\") }\n"}, nil, "and it is v0.1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, c.changes)
			if c.more != nil {
				c.more(t, root)
			}
			head, tags := git(t, root, "rev-parse", "HEAD"), git(t, root, "tag")
			if out, err := releaseOf(root, c.version); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q\n%s", err, c.want, out)
			}
			if git(t, root, "rev-parse", "HEAD") != head || git(t, root, "tag") != tags {
				t.Error("the checkout was changed")
			}
		})
	}
	if _, err := releaseOf(repository{t.TempDir()}, "v0.1.0"); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("outside of a repository: error %v", err)
	}
}
