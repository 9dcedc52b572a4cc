package programs

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHouseRunsOnlyWhatIsProvided looks at the real tree, two folders up.
func TestHouseRunsOnlyWhatIsProvided(t *testing.T) {
	root := os.DirFS("../..")
	uses, err := treeUses(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"go", "apt-get"} {
		seen := false
		for _, u := range uses {
			seen = seen || u.program == program
		}
		if !seen {
			t.Errorf("nothing runs %s: the check has not looked at the house", program)
		}
	}
	found, err := Check(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		t.Errorf("%d findings:\n\t%s", len(found), strings.Join(found, "\n\t"))
	}
}

const setup = "#!/usr/bin/env bash\npackages=(\n\tprotobuf-compiler # protoc\n)\nextra=(\n\tchromium # for a few\n)\npackages+=(\"${extra[@]}\")\napt-get install \"${packages[@]}\"\n"

var cases = []struct {
	name, file, text string
	want             string // part of the one finding; empty: none
}{
	{"package of the list", "scripts/x", "#!/usr/bin/env bash\nprotoc --version\n", ""},
	{"package not in the list", "scripts/x", "#!/usr/bin/env bash\ngcc --version\n", "scripts/x:2 runs gcc: add its package, gcc, to scripts/setup"},
	{"package of the other list", "scripts/x", "#!/usr/bin/env bash\nchromium --version\n", ""},
	{"unknown program", "scripts/x", "#!/usr/bin/env bash\ncurl -s x\n", "scripts/x:2 runs curl: add it to the providers"},
	{"by its extension", "scripts/x.sh", "curl -s x\n", "runs curl"},
	{"in a pipe", "scripts/x", "#!/bin/sh\ncat x | jq . | sort\n", "runs jq"},
	{"in a substitution", "scripts/x", "#!/bin/sh\nexport X=\"a $(jq . x)\"\n", "runs jq"},
	{"behind a condition", "scripts/x", "#!/usr/bin/env bash\nif ! jq . x; then exit 1; fi\n", "runs jq"},
	{"behind timeout", "scripts/x", "#!/bin/sh\ntimeout -k 1 60s jq .\n", "runs jq"},
	{"behind several runners", "scripts/x", "#!/usr/bin/env bash\nsudo -n env A=b nice -n 10 jq .\n", "runs jq"},
	{"behind an optional runner", "scripts/x", "#!/usr/bin/env bash\nsudo=()\n\"${sudo[@]}\" jq .\n", "runs jq"},
	{"looked for", "scripts/x", "#!/usr/bin/env bash\ncommand -v jq\n", "runs jq"},
	{"in a function", "scripts/x", "#!/usr/bin/env bash\nf() { jq .; }\nf\n", "runs jq"},
	{"in a variable", "scripts/x", "#!/usr/bin/env bash\ntool=jq\n$tool .\n", "runs jq"},
	{"in an unknown variable", "scripts/x", "#!/usr/bin/env bash\n$1 .\n", "cannot be told"},
	{"function", "scripts/x", "#!/usr/bin/env bash\njq() { :; }\njq .\n", ""},
	{"program by its path", "scripts/x", "#!/usr/bin/env bash\n./scripts/jq; \"$dir/jq\"; \"$(pwd)\"/jq\n", ""},
	{"word in an argument", "scripts/x", "#!/usr/bin/env bash\necho jq # curl\n", ""},
	{"words handed on", "scripts/x", "#!/usr/bin/env bash\n\"$@\"\n", ""},
	{"no script", "docs/x.md", "curl -s x\n", ""},
	{"hidden folder", ".cache/x.sh", "curl -s x\n", ""},
	{"integration", ".ci/run", "#!/usr/bin/env bash\ncurl -s x\n", "runs curl"},
	{"recipe", "Makefile", "a:\n\t@curl -s x\n", "Makefile:2:1 runs curl"},
	{"recipe over lines", "Makefile", "a:\n\tfor x in $$y; do \\\n\t\tcurl $$x; \\\n\tdone\n", "runs curl"},
	{"variable of a Makefile", "Makefile", "FETCH ?= curl -s\na:\n\t$(FETCH) x\n", "runs curl"},
	{"good recipe", "Makefile", "GO ?= go\na: b\n\t$(GO) run ./tools/x && $(MAKE) b\n\t@grep -q $$HOME $(word) x\n", ""},
	{"Go test", "a/a_test.go", "package a\nimport \"os/exec\"\nvar _ = exec.Command(\"jq\", \".\")\n", "a/a_test.go:3 runs jq"},
	{"Go with a context", "a/a.go", "package a\nimport \"os/exec\"\nvar _ = exec.CommandContext(nil, \"jq\", \".\")\n", "runs jq"},
	{"Go by a constant", "a/a.go", "package a\nimport \"os/exec\"\nconst tool = \"jq\"\nvar _ = exec.Command(tool)\n", "runs jq"},
	{"Go under another name", "a/a.go", "package a\nimport run \"os/exec\"\nvar _, _ = run.LookPath(\"jq\")\n", "runs jq"},
	{"Go with what was built", "a/a.go", "package a\nimport \"os/exec\"\nvar _ = exec.Command(built, \"jq\")\n", ""},
	{"Go with a method of that name", "a/a.go", "package a\nvar _ = exec.Command(\"jq\")\n", ""},
}

func TestCheck(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			found, err := Check(fstest.MapFS{
				"scripts/setup": {Data: []byte(setup), Mode: 0o755},
				c.file:          {Data: []byte(c.text), Mode: 0o755},
			})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %q, want nothing", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)):
				t.Errorf("found %q, want one finding with %q", found, c.want)
			}
		})
	}
}
