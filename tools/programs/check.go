package programs

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Check reports, one line each, the programs that a script, a recipe or Go code of the tree runs and that nothing
// is known to provide, or whose Debian package scripts/setup does not install.
func Check(fsys fs.FS) ([]string, error) {
	setup, err := fs.ReadFile(fsys, "scripts/setup")
	if err != nil {
		return nil, err
	}
	packages, err := setupPackages(string(setup))
	if err != nil {
		return nil, err
	}
	uses, err := treeUses(fsys)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, u := range uses {
		provider, known := providers[u.program]
		switch {
		case u.program == "":
			found = append(found, u.place+" runs a program that cannot be told from the text: name it, or call it by a path")
		case !known:
			found = append(found, fmt.Sprintf("%s runs %s: add it to the providers, in tools/programs", u.place, u.program))
		case !provided(provider) && !packages[provider]:
			found = append(found, fmt.Sprintf("%s runs %s: add its package, %s, to scripts/setup", u.place, u.program, provider))
		}
	}
	return found, nil
}

// treeUses lists what all files of the tree run, but for hidden folders that are not ours.
func treeUses(fsys fs.FS) ([]use, error) {
	var found []use
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && name != "." && name != ".ci" {
				return fs.SkipDir
			}
			return nil
		}
		text, err := readText(fsys, name, d)
		if err != nil {
			return err
		}
		var uses []use
		switch {
		case path.Ext(name) == ".go" && !strings.Contains(name, "testdata/"):
			uses, err = goUses(name, text)
		case path.Base(name) == "Makefile":
			uses, err = makeUses(name, text)
		case isScript(name, text):
			uses, err = shellUses(name, text)
		}
		found = append(found, uses...)
		return err
	})
	return found, err
}
