package granary_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A tree is what the rules look at: the source of the house, read once.
type tree struct {
	fsys     fs.FS
	packages []*sourcePackage // by folder
	modules  []*sourceModule  // by folder
	folders  []string
}

type sourcePackage struct {
	dir   string // slashed, "." for the root
	files []*sourceFile
}

type sourceFile struct {
	path      string
	imports   []string
	test      bool
	generated bool
	documents bool // has a package comment
	lines     int
	sleeps    []int // lines that call time.Sleep
	long      []longFunction
}

// A longFunction has more lines than maxFunction between its first and its last.
type longFunction struct {
	name        string
	line, lines int
}

type sourceModule struct {
	dir, path string
	requires  map[string]bool   // module path to whether it is marked indirect
	versions  map[string]string // module path to the version that is required
	replaces  map[string]string // module path to what stands for it
}

// readTree reads all packages and modules, without those that the go command ignores: folders that start with a
// dot or an underscore, and testdata.
func readTree(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys}
	packages := map[string]*sourcePackage{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		switch {
		case d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata"):
			return fs.SkipDir
		case d.IsDir():
			t.folders = append(t.folders, name)
		case base == "go.mod":
			module, err := readModule(fsys, name)
			if err != nil {
				return err
			}
			t.modules = append(t.modules, module)
		case path.Ext(base) == ".go":
			file, err := readSource(fsys, name)
			if err != nil {
				return err
			}
			dir := path.Dir(name)
			if packages[dir] == nil {
				packages[dir] = &sourcePackage{dir: dir}
				t.packages = append(t.packages, packages[dir])
			}
			packages[dir].files = append(packages[dir].files, file)
		}
		return nil
	})
	return t, err
}

func readSource(fsys fs.FS, name string) (*sourceFile, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &sourceFile{
		path:      name,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(syntax),
		documents: syntax.Doc != nil,
		lines:     strings.Count(string(text), "\n"),
	}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		f.imports = append(f.imports, imported)
	}
	for _, d := range syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			first, last := fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line
			if lines := last - first - 1; lines > maxFunction {
				f.long = append(f.long, longFunction{fn.Name.Name, first, lines})
			}
		}
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" {
				f.sleeps = append(f.sleeps, fset.Position(sel.Pos()).Line)
			}
		}
		return true
	})
	return f, nil
}

func readModule(fsys fs.FS, name string) (*sourceModule, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	m := &sourceModule{dir: path.Dir(name), requires: map[string]bool{}, versions: map[string]string{}, replaces: map[string]string{}}
	for _, d := range directives(string(text)) {
		switch {
		case d.verb == "module" && len(d.words) == 1:
			m.path = d.words[0]
		case d.verb == "require" && len(d.words) == 2:
			m.requires[d.words[0]] = d.comment == "indirect"
			m.versions[d.words[0]] = d.words[1]
		case d.verb == "replace":
			if arrow := slices.Index(d.words, "=>"); arrow > 0 && arrow+1 < len(d.words) {
				m.replaces[d.words[0]] = d.words[arrow+1]
			}
		}
	}
	if m.path == "" {
		return nil, errors.New(name + " has no module line")
	}
	return m, nil
}

// workspace lists the folders that go.work uses.
func (t *tree) workspace() ([]string, error) {
	text, err := fs.ReadFile(t.fsys, "go.work")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, d := range directives(string(text)) {
		if d.verb == "use" && len(d.words) == 1 {
			dirs = append(dirs, path.Clean(d.words[0]))
		}
	}
	return dirs, nil
}

// A directive is one statement of a go.mod or go.work file; those of a block are separate.
type directive struct {
	verb    string
	words   []string
	comment string
}

func directives(text string) []directive {
	var found []directive
	block := ""
	for line := range strings.Lines(text) {
		code, comment, _ := strings.Cut(line, "//")
		words := strings.Fields(code)
		switch {
		case len(words) == 0:
		case block != "" && words[0] == ")":
			block = ""
		case block != "":
			found = append(found, directive{block, words, strings.TrimSpace(comment)})
		case len(words) == 2 && words[1] == "(":
			block = words[0]
		default:
			found = append(found, directive{words[0], words[1:], strings.TrimSpace(comment)})
		}
	}
	return found
}

// moduleOf finds the module that a folder belongs to, nil when there is none.
func (t *tree) moduleOf(dir string) *sourceModule {
	var best *sourceModule
	for _, m := range t.modules {
		if within(dir, m.dir) && (best == nil || len(best.dir) < len(m.dir) || best.dir == ".") {
			best = m
		}
	}
	return best
}

// within tells whether dir is the folder top or lies below it.
func within(dir, top string) bool {
	return top == "." || dir == top || strings.HasPrefix(dir, top+"/")
}

// localDir gives the folder of an import path of the house.
func localDir(imported string) (dir string, ok bool) {
	if imported == modulePath {
		return ".", true
	}
	return strings.CutPrefix(imported, modulePath+"/")
}

// roomOf finds the room of a folder: the longest path of the table that it lies within.
// The root is a room of its own, not of what is below it.
func roomOf(dir string) (room, bool) {
	var best room
	found := false
	for _, r := range floors {
		parent, each := strings.CutSuffix(r.path, "/*")
		switch {
		case each && strings.HasPrefix(dir, parent+"/"):
			below, _, _ := strings.Cut(dir[len(parent)+1:], "/")
			r.path = parent + "/" + below
		case each, r.path == "." && dir != ".", !within(dir, r.path):
			continue
		}
		if !found || len(r.path) > len(best.path) {
			best, found = r, true
		}
	}
	return best, found
}

// thirdParty tells whether an import path is neither ours nor the standard library's.
func thirdParty(imported string) bool {
	if _, ours := localDir(imported); ours {
		return false
	}
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}
