package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
)

// generatedPonger is what the template makes of the service Ponger.
func generatedPonger(t *testing.T) *ast.File {
	t.Helper()
	_, text := output(t, "", ponger)
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Clashes with messages are found because identifiers knows what is declared.
func TestIdentifiersAreWhatIsDeclared(t *testing.T) {
	var declared []string
	for _, declaration := range generatedPonger(t).Decls {
		switch declaration := declaration.(type) {
		case *ast.FuncDecl:
			if declaration.Recv == nil {
				declared = append(declared, declaration.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range declaration.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					declared = append(declared, spec.Name.Name)
				}
			}
		}
	}
	sameSet(t, identifiers(&protogen.Service{GoName: "Ponger"}), declared)
}

// Packages are imported under free names because templateNames knows which
// names are used.
func TestTemplateNamesAreWhatIsUsed(t *testing.T) {
	var used []string
	ast.Inspect(generatedPonger(t), func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec:
			used = append(used, path.Base(strings.Trim(node.Path.Value, `"`)))
		case *ast.FuncType:
			used = append(used, names(node.Params)...)
		case *ast.FuncDecl:
			used = append(used, names(node.Recv)...)
		case *ast.AssignStmt:
			if name, ok := node.Lhs[0].(*ast.Ident); ok && node.Tok == token.DEFINE {
				used = append(used, name.Name)
			}
		}
		return true
	})
	sameSet(t, templateNames, used)
}

func names(fields *ast.FieldList) []string {
	if fields == nil {
		return nil
	}
	var found []string
	for _, field := range fields.List {
		for _, name := range field.Names {
			found = append(found, name.Name)
		}
	}
	return found
}

func sameSet(t *testing.T, listed, found []string) {
	t.Helper()
	listed, found = slices.Sorted(slices.Values(listed)), slices.Sorted(slices.Values(found))
	if found = slices.Compact(found); !slices.Equal(listed, found) {
		t.Errorf("listed: %q\nin the generated code: %q", listed, found)
	}
}
