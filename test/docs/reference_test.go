package docs

import (
	"flag"
	"fmt"
	"go/ast"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var write = flag.Bool("docs.write", false, "write the pages of docs/reference that are made of the source")

// configured are the packages that have options, in the order of the page.
var configured = []string{
	"cluster", "remote", "actor", "cluster/automanaged", "cluster/etcd", "cluster/consul", "cluster/zk", "cluster/k8s", "cluster/record", "cluster/redis",
	"cluster/mongo", "cluster/admin", "dashboard", "contrib/otel", "router",
}

// The page of options is made of the comments of the functions that return one.
func TestOptions(t *testing.T) {
	var b strings.Builder
	found := 0
	for _, dir := range configured {
		p := readSource(t, dir)
		defaults := p.defaults()
		rows := make(map[string][]string) // by the type of the option
		var order []string
		for _, f := range p.functions() {
			result := p.result(f)
			option := strings.HasSuffix(result, "Option") && f.Recv == "" || f.Recv != "" && strings.HasPrefix(f.Name, "With")
			if !option || !ast.IsExported(f.Name) || strings.HasPrefix(f.Doc, f.Name+" is ["+f.Name+"]") {
				continue
			}
			if rows[result] == nil {
				order = append(order, result)
			}
			found++
			rows[result] = append(rows[result], fmt.Sprintf("| `%s` | %s |\n", p.signature(f), cell(f.Doc, defaults)))
		}
		if len(order) > 0 {
			fmt.Fprintf(&b, "\n## %s\n", dir)
		}
		for _, result := range order {
			fmt.Fprintf(&b, "\n| `%s` | |\n|---|---|\n%s", p.name+"."+strings.TrimPrefix(result, "*"), strings.Join(rows[result], ""))
		}
	}
	if found < 60 {
		t.Errorf("found %d options: the test does not see them", found)
	}
	keep(t, "docs/reference/options.md", "options", b.String()+"\n")
}

// failing are the packages whose errors a program may look for.
var failing = []string{"cluster", "remote", "actor", "cluster/driver"}

var quoted = regexp.MustCompile(`^errors\.New\((.*)\)$`)

// The page of errors is made of the sentinels and codes, and their comments.
func TestErrors(t *testing.T) {
	var b strings.Builder
	for _, dir := range failing {
		p := readSource(t, dir)
		fmt.Fprintf(&b, "\n## %s\n\n| error | its text | |\n|---|---|---|\n", dir)
		found := 0
		for _, v := range p.values(false) {
			for _, spec := range v.Decl.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok || len(value.Values) != 1 || !strings.HasPrefix(value.Names[0].Name, "Err") {
					continue
				}
				made := quoted.FindStringSubmatch(p.print(value.Values[0]))
				if made == nil {
					t.Fatalf("%s.%s is no errors.New", dir, value.Names[0].Name)
				}
				text, err := strconv.Unquote(made[1])
				if err != nil {
					t.Fatal(err)
				}
				comment := value.Doc.Text()
				if comment == "" {
					comment = v.Doc
				}
				found++
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", value.Names[0].Name, cell(text, nil), cell(comment, nil))
			}
		}
		if found < 3 {
			t.Errorf("found %d errors of %s: the test does not see them", found, dir)
		}
	}
	keep(t, "docs/reference/errors.md", "errors", b.String()+"\n")
	keep(t, "docs/reference/errors.md", "codes", codes(t))
}

// codes is the table of the codes of a GrainError.
func codes(t *testing.T) string {
	t.Helper()
	p := readSource(t, "cluster")
	var b strings.Builder
	b.WriteString("| code | number | |\n|---|---|---|\n")
	for _, typ := range p.doc.Types {
		if typ.Name != "Code" {
			continue
		}
		for _, v := range typ.Consts {
			for i, spec := range v.Decl.Specs {
				value := spec.(*ast.ValueSpec)
				number, comment := strconv.Itoa(i), value.Doc.Text()
				if len(value.Values) == 1 && p.print(value.Values[0]) != "iota" {
					number, comment = quantity(p.print(value.Values[0])), v.Doc
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", value.Names[0].Name, number, cell(comment, nil))
			}
		}
	}
	return b.String()
}

var (
	verbLine = regexp.MustCompile(`(?m)^  ([a-z]+) +\S`)
	general  = regexp.MustCompile(`(?m)^ +(?:-h, )?--(?:member|json|timeout|tls-ca|tls-cert|tls-key|tls-name|help) .*\n`)
)

// The page of the command is made of what it says of itself.
func TestCommand(t *testing.T) {
	w := newWorkshop(t)
	program := filepath.Join(w.dir, "granary")
	if out, err := w.command(t.Context(), w.root, "go", "build", "-o", program, "./cmd/granary").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), program, append([]string{"help"}, args...)...).Output()
		if err != nil {
			t.Fatalf("granary help %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	var b strings.Builder
	verbs := verbLine.FindAllStringSubmatch(help(), -1)
	for _, m := range verbs {
		verb := m[1]
		if verb == "granary" || verb == "completion" || verb == "help" || verb == "export" {
			continue
		}
		text := strings.TrimSuffix(general.ReplaceAllString(help(verb), ""), "Flags:\n")
		fmt.Fprintf(&b, "\n## granary %s\n\n```text\n%s\n```\n", verb, strings.TrimSpace(text))
	}
	if len(verbs) < 12 {
		t.Errorf("found %d verbs: the test does not see them", len(verbs))
	}
	keep(t, "docs/reference/cli.md", "verbs", b.String()+"\n")
	keep(t, "docs/reference/cli.md", "flags", "```text\n"+strings.Join(general.FindAllString(help("members"), -1), "")+"```\n")
}
