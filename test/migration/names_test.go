package migration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// Every name of Proto.Actor Go is in the left column of the section that has its package in its heading.
func TestNoNameIsMissing(t *testing.T) {
	sections := map[string]string{}
	for _, section := range strings.Split(read(t, "../../docs/migration-names.md"), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		for pkg := range strings.SplitSeq(heading, ", ") {
			sections[pkg] += leftCells(text)
		}
	}
	count := 0
	for line := range strings.Lines(read(t, "testdata/protoactor.txt")) {
		pkg, name, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			t.Fatalf("testdata/protoactor.txt has the line %q", line)
		}
		count++
		last := name[strings.LastIndexByte(name, '.')+1:]
		if !regexp.MustCompile(`\b` + last + `\b`).MatchString(sections[pkg]) {
			t.Errorf("docs/migration-names.md does not have %s.%s", pkg, name)
		}
	}
	if count < 800 {
		t.Errorf("there are %d names in the list; want all", count)
	}
}

func leftCells(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			b.WriteString(cells[1] + "\n")
		}
	}
	return b.String()
}

var (
	code = regexp.MustCompile("`[^`]*`")
	name = regexp.MustCompile(`\b([a-z][a-z0-9]*)((?:\.[A-Z][A-Za-z0-9]*)+)`)
)

// Every name of ours that the guides give is there: those in the right columns, and in migration.md those in the text.
func TestNamesExist(t *testing.T) {
	exported := house(t)
	checked := 0
	for _, page := range []string{"migration.md", "migration-names.md", "migration-goakt.md", "migration-orleans.md"} {
		for line := range strings.Lines(read(t, "../../docs/"+page)) {
			cells := strings.Split(line, "|")
			if len(cells) < 4 {
				continue
			}
			for _, span := range code.FindAllString(cells[2], -1) {
				for _, m := range name.FindAllStringSubmatch(span, -1) {
					pkg, ours := exported[m[1]]
					if !ours {
						continue // another's, such as slog.Logger
					}
					checked++
					if !pkg[m[2][1:]] {
						t.Errorf("docs/%s names %s%s, which is not there", page, m[1], m[2])
					}
				}
			}
		}
	}
	if checked < 200 {
		t.Errorf("%d names were looked for; the tables have more", checked)
	}
}

// house gives the exported names of the packages that the guides speak of, by the package's name; those of a type's methods
// and fields behind its own, and a dot.
func house(t *testing.T) map[string]map[string]bool {
	t.Helper()
	exported := map[string]map[string]bool{}
	for _, dir := range []string{
		"actor", "router", "remote", "cluster", "cluster/driver", "cluster/automanaged", "cluster/consul", "cluster/etcd", "cluster/zk", "cluster/k8s",
	} {
		names := map[string]bool{}
		files, err := fs.Glob(os.DirFS("../.."), dir+"/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			syntax, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range syntax.Decls {
				declared(names, d)
			}
		}
		inherit(names)
		exported[path.Base(dir)] = names
	}
	inheritFrom(exported["cluster"], "GrainContext", exported["actor"], "Context")
	return exported
}

func declared(names map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names[d.Name.Name] = true
			return
		}
		receiver := d.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		if id, ok := receiver.(*ast.Ident); ok {
			names[id.Name+"."+d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, id := range s.Names {
					names[id.Name] = true
				}
			case *ast.TypeSpec:
				names[s.Name.Name] = true
				members(names, s)
			}
		}
	}
}

// members adds the fields or methods of a type; what is embedded is noted as such, for inherit.
func members(names map[string]bool, s *ast.TypeSpec) {
	var list *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.InterfaceType:
		list = t.Methods
	case *ast.StructType:
		list = t.Fields
	default:
		return
	}
	for _, field := range list.List {
		for _, id := range field.Names {
			names[s.Name.Name+"."+id.Name] = true
		}
		if id, ok := field.Type.(*ast.Ident); ok && len(field.Names) == 0 {
			names[s.Name.Name+"<"+id.Name] = true
		}
	}
}

// inherit gives types what they embed of their own package, twice, as embedded types embed others.
func inherit(names map[string]bool) {
	for range 2 {
		for n := range names {
			if outer, inner, embeds := strings.Cut(n, "<"); embeds {
				inheritFrom(names, outer, names, inner)
			}
		}
	}
}

func inheritFrom(names map[string]bool, outer string, from map[string]bool, inner string) {
	var more []string
	for n := range from {
		if member, of := strings.CutPrefix(n, inner+"."); of {
			more = append(more, outer+"."+member)
		}
	}
	for _, n := range more {
		names[n] = true
	}
}
