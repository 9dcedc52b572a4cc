package granary_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logRooms are the folders whose lines in the log are part of the interface.
var logRooms = []string{"actor", "cluster", "remote", "router", "internal/view", "internal/record"}

// logAttributes are the names of attributes in log lines, each with the first place
// where it is used.
type logAttributes map[string]string

// TestLogAttributes holds the attributes of log lines to the table in
// docs/reference/log.md, so that a name means one thing wherever it is used.
func TestLogAttributes(t *testing.T) {
	used, lines := make(logAttributes), make(map[string]string)
	for _, room := range logRooms {
		err := filepath.WalkDir(room, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			return used.read(path, lines)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("docs/reference/log.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = true
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !documented[name] {
			t.Errorf("%s: the attribute %q is not in the table of docs/reference/log.md: use one that is there, or describe it", used[name], name)
		}
	}
	for name := range documented {
		if used[name] == "" {
			t.Errorf("docs/reference/log.md describes the attribute %q, which no line has", name)
		}
	}
	for line, where := range lines {
		if !regexp.MustCompile(`^[a-z0-9]+: `).MatchString(line) {
			t.Errorf("%s: the line %q does not begin with its room, as in \"cluster: …\"", where, line)
		}
	}
	if len(used) < 10 || len(lines) < 30 {
		t.Errorf("found %d attributes in %d lines: the test does not see the lines", len(used), len(lines))
	}
}

// read adds what a file logs. Lines that are put together when they are written are
// known by their beginning.
func (l logAttributes) read(path string, lines map[string]string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	add := func(names []ast.Expr) {
		for i := 0; i < len(names); i += 2 {
			if name, ok := stringOf(names[i]); ok && l[name] == "" {
				l[name] = files.Position(names[i].Pos()).String()
			} else if call, isCall := names[i].(*ast.CallExpr); isCall && len(call.Args) > 0 { // slog.String and its like
				if name, ok := stringOf(call.Args[0]); ok && l[name] == "" {
					l[name] = files.Position(names[i].Pos()).String()
				}
				i--
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch name, on := called(n); {
			case name == "With" && on, name == "append" && len(n.Args) > 1 && isAttrs(n.Args[0]):
				if name == "append" {
					add(n.Args[1:])
				} else {
					add(n.Args)
				}
			case on && slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, name) && len(n.Args) > 0:
				if line, ok := stringOf(n.Args[0]); ok {
					lines[line] = files.Position(n.Pos()).String()
				}
				add(n.Args[1:])
			case on && name == "Log" && len(n.Args) > 3:
				add(n.Args[3:])
			case (name == "note" || name == "warn") && len(n.Args) > 1 && strings.HasPrefix(path, filepath.Join("internal", "view")):
				add(n.Args[1:])
			}
		case *ast.CompositeLit:
			if list, ok := n.Type.(*ast.ArrayType); ok && isAny(list.Elt) && len(n.Elts) > 1 {
				if _, ok := stringOf(n.Elts[0]); ok {
					add(n.Elts)
				}
			}
		}
		return true
	})
	return nil
}

// called gives the name of what is called, and whether it is a logger's.
func called(call *ast.CallExpr) (name string, logger bool) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name, false
	case *ast.SelectorExpr:
		on := f.X
		if inner, ok := on.(*ast.CallExpr); ok {
			on = inner.Fun
		}
		last := ""
		switch on := on.(type) {
		case *ast.Ident:
			last = on.Name
		case *ast.SelectorExpr:
			last = on.Sel.Name
		}
		return f.Sel.Name, strings.HasSuffix(strings.ToLower(last), "logger") || last == "log"
	}
	return "", false
}

// stringOf gives a constant text, or the constant beginning of one.
func stringOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		return stringOf(e.X)
	}
	return "", false
}

func isAttrs(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "attrs"
}

func isAny(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "any"
}
