package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A unit is one package that the blocks of a page make.
type unit struct {
	name   string            // of its folder: the page and the line of its first block
	files  map[string]string // by name; protobuf files too
	main   bool
	output string // what it has to print, if it is run
	args   []string
	runs   bool
	where  string // its first block, as page:line
}

const known = "ctx context.Context, system *actor.ActorSystem, c *cluster.Cluster, provider driver.Provider, " +
	"remoteConfig *remote.Config, kind *cluster.Kind, kinds []cluster.Option"

// units completes the blocks of a page.
func (p page) units() ([]unit, error) {
	var made []unit
	var protos []block
	common, from := "", ""
	all := p.blocks()
	for i, b := range all {
		if b.language == "protobuf" && strings.Contains(b.text, `;main";`) {
			protos = append(protos, b)
		}
		if b.language != "go" {
			continue
		}
		if source, shown := b.shown(&from); shown {
			if err := b.standsIn(source); err != nil {
				return nil, err
			}
			continue
		}
		hidden, signature, same, err := b.setup(&common)
		if err != nil {
			return nil, err
		}
		if !same {
			made = append(made, unit{name: b.slug(), files: map[string]string{}, where: fmt.Sprintf("%s:%d", b.page, b.line)})
		} else if len(made) == 0 {
			return nil, fmt.Errorf("%s:%d: no block stands before the first", b.page, b.line)
		}
		u := &made[len(made)-1]
		if err := b.complete(u, hidden, signature); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", b.page, b.line, err)
		}
		if u.main && len(protos) > 0 {
			for _, proto := range protos {
				u.files[fmt.Sprintf("p%d.proto", proto.line)] = proto.text
			}
		}
		if u.main && !u.runs && i+1 < len(all) {
			u.expect(all[i+1])
		}
	}
	return made, nil
}

// slug is the folder of the block's package.
func (b block) slug() string {
	return fmt.Sprintf("%s_%d", regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(strings.TrimSuffix(b.page, ".md")), "_"), b.line)
}

// setup reads the notes of a block.
func (b block) setup(common *string) (hidden, signature string, same bool, err error) {
	var own strings.Builder
	for _, n := range b.notes {
		switch n.word {
		case "with":
			fmt.Fprintf(&own, "//line /%s:%d\n%s\n", b.page, n.line, n.body)
		case "page":
			*common += fmt.Sprintf("//line /%s:%d\n%s\n", b.page, n.line, n.body)
		case "func":
			signature = n.rest
		case "same":
			same = true
		case "from":
		default:
			return "", "", false, fmt.Errorf("%s:%d: unknown comment for the test: %s", b.page, n.line-1, n.word)
		}
	}
	hidden = own.String()
	if !same {
		hidden += *common
	}
	return hidden, signature, same, nil
}

// complete adds the block to the unit as a file that compiles if the block does.
func (b block) complete(u *unit, hidden, signature string) error {
	name := fmt.Sprintf("b%d.go", b.line)
	if strings.HasPrefix(b.text, "package ") || strings.Contains(b.text, "\npackage ") {
		u.main = u.main || strings.Contains(b.text, "package main\n")
		u.files[name] = fmt.Sprintf("//line /%s:%d\n%s", b.page, b.line, b.text)
		if hidden != "" {
			u.files["hidden_"+name] = withImports(packageOf(u), hidden)
		}
		return nil
	}
	declared, statements := split(b)
	u.main = u.main || strings.Contains(hidden, "\nfunc main() {\n")
	if output, ok := outputComment(statements); ok {
		u.main, u.runs, u.output = true, true, output
		signature = "()"
	}
	text := hidden + declared
	if strings.TrimSpace(statements) != "" {
		body, err := function(b, statements, signature, u.runs)
		if err != nil {
			return err
		}
		text += body
	}
	u.files[name] = withImports(packageOf(u), text)
	return nil
}

func packageOf(u *unit) string {
	if u.main {
		return "main"
	}
	return "p"
}

var declaration = regexp.MustCompile(`^(?:func (?:\(|[A-Za-z_]\w*[\[(])|type |import |const [A-Z(])`)

// split parts the declarations of a block from its statements. Pieces are parted by empty lines before a line that
// begins at the margin.
func split(b block) (declared, statements string) {
	var pieces []string
	number := b.line
	starts := []int{}
	fresh := true
	for line := range strings.Lines(b.text) {
		if fresh && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "}") {
			pieces, starts = append(pieces, ""), append(starts, number)
		}
		if len(pieces) > 0 {
			pieces[len(pieces)-1] += line
		}
		fresh = strings.TrimSpace(line) == ""
		number++
	}
	for i, piece := range pieces {
		code := piece
		for strings.HasPrefix(code, "//") {
			_, code, _ = strings.Cut(code, "\n")
		}
		marked := fmt.Sprintf("//line /%s:%d\n%s", b.page, starts[i], piece)
		if declaration.MatchString(code) {
			declared += marked
		} else {
			statements += marked
		}
	}
	return declared, statements
}

// function makes statements the body of a function.
func function(b block, statements, signature string, run bool) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), b.page, "package p\nfunc _() {\n"+statements+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	body := file.Decls[0].(*ast.FuncDecl).Body
	used := ""
	for _, statement := range body.List {
		for _, name := range defined(statement) {
			used += "\n_ = " + name
		}
	}
	name, end := fmt.Sprintf("statements%d", b.line), ""
	switch {
	case run:
		name = "main"
	case signature == "" && returnsValue(body):
		signature, end = "("+known+") error", "\npanic(0)"
	case signature == "":
		signature = "(" + known + ")"
	case !strings.HasSuffix(signature, ")") || strings.Count(signature, "(") > 1:
		end = "\npanic(0)"
	}
	return fmt.Sprintf("\nfunc %s%s {\n{\n%s%s\n}%s\n}\n", name, signature, statements, used, end), nil
}

// defined are the variables that a statement defines for those behind it.
func defined(statement ast.Stmt) []string {
	var names []string
	add := func(e ast.Expr) {
		if name, ok := e.(*ast.Ident); ok && name.Name != "_" {
			names = append(names, name.Name)
		}
	}
	switch s := statement.(type) {
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE {
			for _, e := range s.Lhs {
				add(e)
			}
		}
	case *ast.DeclStmt:
		if d, ok := s.Decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, name := range v.Names {
						add(name)
					}
				}
			}
		}
	}
	return names
}

func returnsValue(body *ast.BlockStmt) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if _, inner := n.(*ast.FuncLit); inner {
			return false
		}
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
			found = true
		}
		return true
	})
	return found
}

var qualified = regexp.MustCompile(`\b([a-z]\w*)\.[A-Z]`)

// withImports makes a file of declarations, with the imports of the packages that it names.
func withImports(name, text string) string {
	imports := map[string]bool{}
	for _, m := range qualified.FindAllStringSubmatch(text, -1) {
		if path, is := packages[m[1]]; is && !regexp.MustCompile(`\b`+m[1]+`(?:, \w+)* :=`).MatchString(text) {
			imports[fmt.Sprintf("import %s %q\n", m[1], path)] = true
		}
	}
	return "package " + name + "\n\n" + strings.Join(slices.Sorted(maps.Keys(imports)), "") + "\n" + text
}

// outputComment gives the text of a comment "// Output:" at the end of statements.
func outputComment(statements string) (string, bool) {
	_, comment, has := strings.Cut(statements, "// Output:\n")
	var out strings.Builder
	for line := range strings.Lines(comment) {
		out.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "//"), " "))
	}
	return out.String(), has
}

var goRun = regexp.MustCompile(`(?s)\$ go run \.( [^\n]*)?\n(.*)$`)

// expect takes what stands behind a program for what it prints.
func (u *unit) expect(next block) {
	switch m := goRun.FindStringSubmatch(next.text); {
	case next.language == "text":
		u.runs, u.output = true, next.text
	case next.language == "console" && m != nil:
		u.runs, u.args, u.output = true, strings.Fields(m[1]), m[2]
	}
}
