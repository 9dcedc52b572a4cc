package docs

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A sourcePackage is what a page of reference says of a package.
type sourcePackage struct {
	name, dir string
	files     *token.FileSet
	doc       *doc.Package
}

// readSource parses a package of the house with its comments.
func readSource(t *testing.T, dir string) sourcePackage {
	t.Helper()
	p := sourcePackage{dir: dir, files: token.NewFileSet()}
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var syntax []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.files, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		syntax = append(syntax, file)
	}
	if p.doc, err = doc.NewFromFiles(p.files, syntax, modulePath+"/"+dir); err != nil {
		t.Fatal(err)
	}
	p.name = p.doc.Name
	return p
}

// values gives the declared values of a package, those of its types among them.
func (p sourcePackage) values(constants bool) []*doc.Value {
	all := slices.Clone(p.doc.Vars)
	if constants {
		all = slices.Clone(p.doc.Consts)
	}
	for _, t := range p.doc.Types {
		if constants {
			all = append(all, t.Consts...)
		} else {
			all = append(all, t.Vars...)
		}
	}
	return all
}

// functions gives the functions of a package, those that make its types among them, and the methods of its types that
// return the type itself.
func (p sourcePackage) functions() []*doc.Func {
	all := slices.Clone(p.doc.Funcs)
	for _, t := range p.doc.Types {
		all = append(all, t.Funcs...)
		for _, m := range t.Methods {
			if p.result(m) == "*"+t.Name {
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, func(a, b *doc.Func) int { return int(a.Decl.Pos() - b.Decl.Pos()) })
	return all
}

// result is the single result of a function as the source spells it.
func (p sourcePackage) result(f *doc.Func) string {
	results := f.Decl.Type.Results
	if results == nil || len(results.List) != 1 {
		return ""
	}
	return p.print(results.List[0].Type)
}

func (p sourcePackage) print(node any) string {
	var b strings.Builder
	_ = printer.Fprint(&b, p.files, node)
	return strings.Join(strings.Fields(b.String()), " ")
}

// signature is a function as its callers write it, without its results.
func (p sourcePackage) signature(f *doc.Func) string {
	_, parameters, _ := strings.Cut(p.print(&ast.FuncType{Params: f.Decl.Type.Params}), "func")
	return f.Name + parameters
}

// defaults are the constants Default… of a package, as text for people.
func (p sourcePackage) defaults() map[string]string {
	found := make(map[string]string)
	for _, v := range p.values(true) {
		for _, spec := range v.Decl.Specs {
			value, ok := spec.(*ast.ValueSpec)
			for i := 0; ok && i < len(value.Names) && i < len(value.Values); i++ {
				if name := value.Names[i].Name; strings.HasPrefix(name, "Default") {
					found[name] = quantity(p.print(value.Values[i]))
				}
			}
		}
	}
	return found
}

var (
	durations = regexp.MustCompile(`^(?:(\d+) \* )?time\.(Millisecond|Second|Minute|Hour)$`)
	shifted   = regexp.MustCompile(`^(\d+) << (\d+)$`)
	units     = map[string]string{"Millisecond": "ms", "Second": "s", "Minute": "min", "Hour": "h"}
)

// quantity turns the source of a constant into what people write.
func quantity(source string) string {
	if m := durations.FindStringSubmatch(source); m != nil {
		return max(m[1], "1") + " " + units[m[2]]
	}
	if m := shifted.FindStringSubmatch(source); m != nil {
		n, _ := strconv.Atoi(m[1])
		by, _ := strconv.Atoi(m[2])
		return thousands(strconv.Itoa(n << by))
	}
	if text, err := strconv.Unquote(source); err == nil {
		return text
	}
	return thousands(strings.ReplaceAll(source, "_", ""))
}

func thousands(digits string) string {
	if _, err := strconv.Atoi(digits); err != nil {
		return digits
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

var docLink = regexp.MustCompile(`\[(\*?[A-Za-z][\w.]*)\]`)

// cell makes a comment the cell of a table, with the values of the defaults that it names.
func cell(comment string, defaults map[string]string) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(comment), "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	text := docLink.ReplaceAllString(strings.Join(paragraphs, "<br>"), "$1")
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		text = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(text, "`"+name+"` ("+defaults[name]+")")
	}
	return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(text)
}

// keep compares a part of a page, between two marks, with what it has to be, or writes it.
func keep(t *testing.T, name, mark, want string) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- %s: begin -->\n", mark), fmt.Sprintf("<!-- %s: end -->", mark)
	before, rest, begins := strings.Cut(string(text), begin)
	got, after, ends := strings.Cut(rest, end)
	switch {
	case !begins || !ends:
		t.Fatalf("%s has no place for what is made of the source: %s and %s", name, begin, end)
	case *write:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case got != want:
		t.Errorf("%s is not as the source is any more: in the folder test, run go test ./docs -args -docs.write\n%s", name, difference(got, want))
	}
}

// difference shows the first lines that differ.
func difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			return fmt.Sprintf("the page has  %s\nthe source is %s", strings.Join(a[min(i, len(a)):min(i+1, len(a))], ""), b[i])
		}
	}
	return "the page has more lines"
}
