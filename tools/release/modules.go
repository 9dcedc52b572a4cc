package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// unpublished are the folders whose modules nobody requires: they get no tag, and go on seeing the tree beside them.
var unpublished = []string{"bench", "examples", "test", "tools"}

// module is one of the house.
type module struct {
	root, dir string // the clone, and the folder within it; "." is the core
	path      string
	published bool
	requires  []string // of the house
}

// readModules reads the modules that go.work names, each after those that it requires.
func readModules(root string) ([]module, error) {
	file := filepath.Join(root, "go.work")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(file, text, nil)
	if err != nil {
		return nil, err
	}
	var modules []module
	for _, use := range work.Use {
		m, err := readModule(root, path.Clean(use.Path))
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	return inOrder(modules)
}

func readModule(root, dir string) (module, error) {
	m := module{root: root, dir: dir, path: path.Join(modulePath, dir)}
	top, _, _ := strings.Cut(dir, "/")
	m.published = !slices.Contains(unpublished, top)
	mod, err := m.parse()
	if err != nil {
		return m, err
	}
	if mod.Module == nil || mod.Module.Mod.Path != m.path {
		return m, fmt.Errorf("%s/go.mod: the module has to be called %s", dir, m.path)
	}
	for _, r := range mod.Require {
		if ours(r.Mod.Path) {
			m.requires = append(m.requires, r.Mod.Path)
		}
	}
	return m, nil
}

func ours(path string) bool { return path == modulePath || strings.HasPrefix(path, modulePath+"/") }

// inOrder sorts modules so that each comes after those that it requires.
func inOrder(modules []module) ([]module, error) {
	var sorted []module
	done := map[string]bool{}
	for len(sorted) < len(modules) {
		before := len(sorted)
		for _, m := range modules {
			if !done[m.path] && !slices.ContainsFunc(m.requires, func(r string) bool { return !done[r] }) {
				done[m.path] = true
				sorted = append(sorted, m)
			}
		}
		if len(sorted) == before {
			return nil, errors.New("go.work: modules require each other in a circle, or one that it does not name")
		}
	}
	for _, m := range sorted {
		for _, r := range m.requires {
			if i := slices.IndexFunc(sorted, func(o module) bool { return o.path == r }); m.published && !sorted[i].published {
				return nil, fmt.Errorf("%s/go.mod: a published module requires %s, which is not published", m.dir, r)
			}
		}
	}
	return sorted, nil
}

// tag names a version of the module, as the go command looks for it.
func (m module) tag(version string) string { return path.Join(m.dir, version) }

// files are what a release changes of the module.
func (m module) files() []string {
	return []string{path.Join(m.dir, "go.mod"), path.Join(m.dir, "go.sum")}
}

func (m module) file(name string) string {
	return filepath.Join(m.root, filepath.FromSlash(m.dir), name)
}

func (m module) parse() (*modfile.File, error) {
	text, err := os.ReadFile(m.file("go.mod"))
	if err != nil {
		return nil, err
	}
	return modfile.Parse(m.file("go.mod"), text, nil)
}

// pin makes the module's go.mod ask for modules of the house in a version. One that is published loses what replaces them;
// any other replacement of it is an error, as it would not hold for those who require it.
func (m module) pin(version string) error {
	mod, err := m.parse()
	if err != nil {
		return err
	}
	for _, r := range m.requires {
		if err := mod.AddRequire(r, version); err != nil {
			return err
		}
	}
	if m.published {
		for _, r := range slices.Clone(mod.Replace) {
			if !ours(r.Old.Path) {
				return fmt.Errorf("%s/go.mod replaces %s: go install refuses that, and it does not hold for those who require the module", m.dir, r.Old.Path)
			}
			if err := mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return err
			}
		}
	}
	mod.Cleanup()
	text, err := mod.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(m.file("go.mod"), text, 0o644)
}

// addSums adds the sums of the modules of the house to the go.sum of one that requires them.
func (m module) addSums(sums map[string][]string) error {
	if len(m.requires) == 0 {
		return nil
	}
	text, err := os.ReadFile(m.file("go.sum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, r := range m.requires {
		lines = append(lines, sums[r]...)
	}
	slices.Sort(lines)
	return os.WriteFile(m.file("go.sum"), []byte(strings.TrimPrefix(strings.Join(slices.Compact(lines), "\n"), "\n")+"\n"), 0o644)
}
