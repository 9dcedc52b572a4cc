package programs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// goUses lists the programs that Go code names in exec.Command, exec.CommandContext and exec.LookPath, as a string
// or a constant of the same file. A variable is left alone: it holds a path, of a program that was built, say.
func goUses(place, text string) ([]use, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, place, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	name := execName(file)
	if name == "" {
		return nil, nil
	}
	constants := fileConstants(file)
	var found []use
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		index, ok := execCall(call, name)
		if !ok || index >= len(call.Args) {
			return true
		}
		program := ""
		switch arg := call.Args[index].(type) {
		case *ast.BasicLit:
			program, _ = strconv.Unquote(arg.Value)
		case *ast.Ident:
			program = constants[arg.Name]
		}
		if program != "" && !strings.Contains(program, "/") {
			found = append(found, use{fmt.Sprintf("%s:%d", place, fset.Position(call.Pos()).Line), program})
		}
		return true
	})
	return found, nil
}

// execName gives the name under which the file imports os/exec.
func execName(file *ast.File) string {
	i := slices.IndexFunc(file.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == `"os/exec"` })
	switch {
	case i < 0:
		return ""
	case file.Imports[i].Name != nil:
		return file.Imports[i].Name.Name
	default:
		return "exec"
	}
}

// execCall tells which argument of the call is a program.
func execCall(call *ast.CallExpr, exec string) (index int, ok bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != exec {
		return 0, false
	}
	switch sel.Sel.Name {
	case "Command", "LookPath":
		return 0, true
	case "CommandContext":
		return 1, true
	}
	return 0, false
}

// fileConstants maps names to the strings that the file declares for them.
func fileConstants(file *ast.File) map[string]string {
	constants := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if i < len(spec.Values) {
				if lit, ok := spec.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					constants[name.Name], _ = strconv.Unquote(lit.Value)
				}
			}
		}
		return true
	})
	return constants
}
