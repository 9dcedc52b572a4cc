package granary_test

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A rule looks at a tree and returns what is wrong, one line each.
type rule struct {
	name  string
	check func(*tree) []string
}

var rules = []rule{
	{"floors", checkFloors},
	{"backends", checkBackends},
	{"standard library only", checkStandardOnly},
	{"pure machines", checkPure},
	{"core dependencies", checkCoreRequires},
	{"own modules", checkModules},
	{"workspace", checkWorkspace},
	{"folder names", checkNames},
	{"package comments", checkComments},
	{"file length", checkLength},
	{"function length", checkFunctions},
	{"sleeping", checkSleeps},
	{"changelog", checkChangelog},
}

// checkFloors reports every import of the house that the table of floors does not allow.
func checkFloors(t *tree) (found []string) {
	for _, p := range t.packages {
		from, ok := roomOf(p.dir)
		if !ok {
			found = append(found, fmt.Sprintf("%s is in no room: give it one in floors, in house_test.go", p.dir))
			continue
		}
		for _, f := range p.files {
			for _, imported := range f.imports {
				dir, ours := localDir(imported)
				if !ours {
					continue
				}
				to, ok := roomOf(dir)
				if !ok {
					found = append(found, fmt.Sprintf("%s imports %s, which is in no room", f.path, dir))
				} else if why := forbidden(from, to, f.test); why != "" {
					found = append(found, fmt.Sprintf("%s (%s, floor %d) imports %s (%s, floor %d): %s",
						f.path, from.path, from.floor, dir, to.path, to.floor, why))
				}
			}
		}
	}
	return found
}

// forbidden tells why a room may not import another, or nothing.
func forbidden(from, to room, test bool) string {
	switch {
	case from.path == to.path, test && to.kit:
		return ""
	case to.kit && !from.kit:
		return "a kit is for tests"
	case to.floor > from.floor:
		return "a room imports lower floors only"
	case to.floor == from.floor && !test:
		return "siblings never import siblings; what both need lies on a floor below"
	}
	return ""
}

// checkBackends reports what providers and stores import beyond the driver, and who uses the machine of a backend.
func checkBackends(t *tree) (found []string) {
	owner := map[string]string{}
	for _, r := range floors {
		for _, machine := range r.machines {
			owner[machine] = r.path
		}
	}
	for _, p := range t.packages {
		from, _ := roomOf(p.dir)
		allowed := slices.Concat(backendMayImport, from.machines, []string{from.path})
		for _, f := range p.files {
			for _, imported := range f.imports {
				dir, ours := localDir(imported)
				to, _ := roomOf(dir)
				switch by := owner[to.path]; {
				case !ours || f.test || to.path == from.path:
				case from.backend && !slices.Contains(allowed, to.path):
					found = append(found, fmt.Sprintf("%s imports %s: a backend sees only %s of the house",
						f.path, dir, strings.Join(backendMayImport, " and ")))
				case by != "" && by != from.path:
					found = append(found, fmt.Sprintf("%s imports %s: only %s may", f.path, dir, by))
				}
			}
		}
	}
	return found
}

// checkStandardOnly follows the imports of the rooms marked std, through our other rooms, to third parties.
func checkStandardOnly(t *tree) (found []string) {
	byDir := map[string]*sourcePackage{}
	for _, p := range t.packages {
		byDir[p.dir] = p
	}
	for _, p := range t.packages {
		if r, _ := roomOf(p.dir); r.std {
			seen := map[string]bool{}
			found = append(found, thirdParties(byDir, seen, p, p.dir)...)
		}
	}
	return found
}

// thirdParties lists what p reaches outside the house and the standard library; chain says how p was reached.
func thirdParties(byDir map[string]*sourcePackage, seen map[string]bool, p *sourcePackage, chain string) (found []string) {
	for _, f := range p.files {
		for _, imported := range f.imports {
			if f.test || seen[imported] {
				continue
			}
			seen[imported] = true
			if thirdParty(imported) {
				found = append(found, fmt.Sprintf("%s → %s: this room has the standard library and our own rooms only", chain, imported))
			} else if dir, ours := localDir(imported); ours && byDir[dir] != nil {
				found = append(found, thirdParties(byDir, seen, byDir[dir], chain+" → "+dir)...)
			}
		}
	}
	return found
}

// checkPure reports what a pure machine imports that is impure. Its tests may import what they like.
func checkPure(t *tree) (found []string) {
	for _, p := range t.packages {
		r, _ := roomOf(p.dir)
		for _, f := range p.files {
			for _, imported := range f.imports {
				bad := slices.ContainsFunc(impure, func(pkg string) bool { return within(imported, pkg) })
				if r.pure && !f.test && bad {
					found = append(found, fmt.Sprintf("%s imports %s: %s is a pure machine; it is told what it must know", f.path, imported, r.path))
				}
			}
		}
	}
	return found
}

// checkCoreRequires reports direct dependencies of the core, and imports of its files, tests too, beyond the allowed.
func checkCoreRequires(t *tree) (found []string) {
	core := t.moduleOf(".")
	if core == nil {
		return []string{"the root has no go.mod"}
	}
	for required, indirect := range core.requires {
		if !indirect && !slices.Contains(coreRequires, required) {
			found = append(found, fmt.Sprintf("go.mod requires %s: the core requires %s only", required, strings.Join(coreRequires, " and ")))
		}
	}
	for _, p := range t.packages {
		if t.moduleOf(p.dir) != core {
			continue
		}
		for _, f := range p.files {
			for _, imported := range f.imports {
				allowed := slices.ContainsFunc(coreRequires, func(module string) bool { return within(imported, module) })
				if thirdParty(imported) && !allowed {
					found = append(found, fmt.Sprintf("%s imports %s: the core uses %s only", f.path, imported, strings.Join(coreRequires, " and ")))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// checkModules reports packages in the wrong kind of module, and modules that would not build against this tree.
func checkModules(t *tree) (found []string) {
	core := t.moduleOf(".")
	for _, p := range t.packages {
		r, ok := roomOf(p.dir)
		switch inCore := t.moduleOf(p.dir) == core; {
		case !ok || r.path == ".":
		case r.own && inCore:
			found = append(found, fmt.Sprintf("%s is in the core module: %s needs a go.mod of its own", p.dir, r.path))
		case !r.own && !inCore:
			found = append(found, fmt.Sprintf("%s is in a module of its own: %s belongs to the core", p.dir, r.path))
		}
	}
	for _, m := range t.modules {
		if want := path.Join(modulePath, m.dir); m.path != want {
			found = append(found, fmt.Sprintf("%s/go.mod calls the module %s: by its folder it is %s", m.dir, m.path, want))
		}
		for required := range m.requires {
			dir, ours := localDir(required)
			switch replaced, ok := m.replaces[required]; {
			case !ours:
			case m == core:
				found = append(found, fmt.Sprintf("go.mod requires %s: the core never requires a leaf", required))
			case !ok && m.versions[required] != "v0.0.0": // in the commit of a release, see tools/release
			case !ok || path.Join(m.dir, replaced) != dir:
				found = append(found, fmt.Sprintf("%s/go.mod requires %s: replace it by its folder of this tree", m.dir, required))
			}
		}
	}
	return found
}

// checkWorkspace reports modules that go.work does not use, and the other way round.
func checkWorkspace(t *tree) (found []string) {
	used, err := t.workspace()
	if err != nil {
		return []string{err.Error()}
	}
	for _, m := range t.modules {
		_, except := outsideWorkspace[m.dir]
		if in := slices.Contains(used, m.dir); in == except {
			found = append(found, fmt.Sprintf("%s/go.mod: go.work uses it: %t, outsideWorkspace has it: %t; one of them must", m.dir, in, except))
		}
	}
	return found
}

// checkNames reports folders whose name says nothing.
func checkNames(t *tree) (found []string) {
	for _, folder := range t.folders {
		if slices.Contains(nameless, path.Base(folder)) {
			found = append(found, fmt.Sprintf("%s: name the folder after what is in it", folder))
		}
	}
	return found
}

// checkComments reports packages without a package comment. Generated files count: their .proto carries it.
func checkComments(t *tree) (found []string) {
	for _, p := range t.packages {
		code := slices.ContainsFunc(p.files, func(f *sourceFile) bool { return !f.test })
		documented := slices.ContainsFunc(p.files, func(f *sourceFile) bool { return !f.test && f.documents })
		if code && !documented {
			found = append(found, fmt.Sprintf("%s has no package comment: write one, in doc.go", p.dir))
		}
	}
	return found
}

// checkLength reports files that are too long to be about one thing.
func checkLength(t *tree) (found []string) {
	for _, p := range t.packages {
		for _, f := range p.files {
			if !f.test && !f.generated && f.lines > maxLines {
				found = append(found, fmt.Sprintf("%s has %d lines, more than %d: split it", f.path, f.lines, maxLines))
			}
		}
	}
	return found
}

// checkFunctions reports functions that are too long to be read at once.
func checkFunctions(t *tree) (found []string) {
	for _, p := range t.packages {
		for _, f := range p.files {
			for _, long := range f.long {
				if !f.test && !f.generated {
					found = append(found, fmt.Sprintf("%s:%d: %s has %d lines, more than %d: give a part of it a name",
						f.path, long.line, long.name, long.lines, maxFunction))
				}
			}
		}
	}
	return found
}

// checkSleeps reports calls of time.Sleep in code, and more of them in tests than a house of this size may have.
func checkSleeps(t *tree) (found []string) {
	var inTests []string
	lines := 0
	for _, p := range t.packages {
		for _, f := range p.files {
			if f.test {
				lines += f.lines
			}
			for _, line := range f.sleeps {
				place := fmt.Sprintf("%s:%d", f.path, line)
				switch {
				case !f.test:
					found = append(found, place+" sleeps: use a timer beside a context, so that it can be woken")
				case !slices.Contains(f.imports, "testing/synctest"):
					inTests = append(inTests, place)
				}
			}
		}
	}
	if allowed := lines * sleepsPerThousandTestLines / 1000; len(inTests) > allowed {
		found = append(found, fmt.Sprintf("%d tests sleep outside a synctest bubble, %d may: wait for the thing itself: %s",
			len(inTests), allowed, strings.Join(inTests, ", ")))
	}
	return found
}

var unreleased = regexp.MustCompile(`(?m)^## \[Unreleased\]$`)

// checkChangelog reports a changelog without the section that the next change goes into.
func checkChangelog(t *tree) []string {
	text, err := fs.ReadFile(t.fsys, "CHANGELOG.md")
	if err != nil {
		return []string{err.Error()}
	}
	if !unreleased.Match(text) {
		return []string{"CHANGELOG.md has no section ## [Unreleased]"}
	}
	return nil
}
