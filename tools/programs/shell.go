package programs

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A use is a place where something runs a program. An empty program means that the place does not say which.
type use struct {
	place   string
	program string
}

// runners are programs that run the program named by their first argument that is neither an option, an assignment
// nor a number (nice -n 10 prog, timeout 5 prog, env A=b prog).
var runners = map[string]bool{
	"builtin": true, "command": true, "env": true, "exec": true, "nice": true, "sudo": true, "timeout": true, "xargs": true,
}

// shellUses lists what a script runs. Functions that the script defines are no programs; nor is what it names by a
// path, like ./scripts/setup or "$bin/tool": that is ours, or was built.
func shellUses(place, script string) ([]use, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), place)
	if err != nil {
		return nil, err
	}
	functions := map[string]bool{}
	variables := map[string]string{}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			functions[n.Name.Value] = true
		case *syntax.Assign:
			if n.Value != nil && n.Name != nil {
				variables[n.Name.Value] = literal(n.Value, nil)
			}
		}
		return true
	})
	var found []use
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		for _, program := range callPrograms(call.Args, variables) {
			if !functions[program] && !strings.Contains(program, "/") {
				found = append(found, use{fmt.Sprintf("%s:%d", place, call.Pos().Line()), program})
			}
		}
		return true
	})
	return found, nil
}

// callPrograms gives the program of a command and, through runners, the one it runs.
func callPrograms(args []*syntax.Word, variables map[string]string) []string {
	var programs []string
	for len(args) > 0 {
		if optional(args[0]) { // a prefix like "${sudo[@]}", empty or a runner
			args = args[1:]
			continue
		}
		program := literal(args[0], variables)
		programs = append(programs, program)
		args = args[1:]
		if !runners[program] {
			return programs
		}
		for len(args) > 0 && isRunnerOption(args[0], variables) {
			args = args[1:]
		}
	}
	return programs
}

var (
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	duration   = regexp.MustCompile(`^[0-9.]+[smhd]?$`)
)

func isRunnerOption(word *syntax.Word, variables map[string]string) bool {
	if optional(word) {
		return true
	}
	text := literal(word, variables)
	return strings.HasPrefix(text, "-") || assignment.MatchString(text) || duration.MatchString(text)
}

// optional tells whether a word is "${name[@]}" or "$@" alone: it may be no word at all, and what it holds is
// written somewhere else in the script, or by its caller.
func optional(word *syntax.Word) bool {
	parts := word.Parts
	if len(parts) == 1 {
		if quoted, ok := parts[0].(*syntax.DblQuoted); ok {
			parts = quoted.Parts
		}
	}
	if len(parts) != 1 {
		return false
	}
	param, ok := parts[0].(*syntax.ParamExp)
	if !ok {
		return false
	}
	if param.Param.Value == "@" {
		return true
	}
	index, ok := param.Index.(*syntax.Word)
	return ok && index.Lit() == "@"
}

// literal gives the text of a word. A variable is replaced by the one value that the script gives it, if it does;
// where a part is not known, the text is empty, unless it holds a slash.
func literal(word *syntax.Word, variables map[string]string) string {
	var b strings.Builder
	known := true
	var add func(parts []syntax.WordPart)
	add = func(parts []syntax.WordPart) {
		for _, part := range parts {
			switch part := part.(type) {
			case *syntax.Lit:
				b.WriteString(part.Value)
			case *syntax.SglQuoted:
				b.WriteString(part.Value)
			case *syntax.DblQuoted:
				add(part.Parts)
			case *syntax.ParamExp:
				value, ok := variables[part.Param.Value]
				known = known && ok && value != ""
				b.WriteString(value)
			default:
				known = false
			}
		}
	}
	add(word.Parts)
	if !known && !strings.Contains(b.String(), "/") {
		return ""
	}
	return b.String()
}

// setupPackages reads the arrays named packages and extra out of scripts/setup.
func setupPackages(script string) (map[string]bool, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "scripts/setup")
	if err != nil {
		return nil, err
	}
	packages := map[string]bool{}
	syntax.Walk(file, func(n syntax.Node) bool {
		if a, ok := n.(*syntax.Assign); ok && a.Name != nil && (a.Name.Value == "packages" || a.Name.Value == "extra") && a.Array != nil && !a.Append {
			for _, element := range a.Array.Elems {
				packages[literal(element.Value, nil)] = true
			}
		}
		return true
	})
	return packages, nil
}

// isScript tells whether the text is a shell script.
func isScript(name, text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return path.Ext(name) == ".sh" || strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "sh")
}

// makeVariable is a simple assignment in a Makefile, makeReference a use of one.
var (
	makeVariable  = regexp.MustCompile(`(?m)^(?:export )?([A-Za-z_]+) *[:?]?= *(.*)$`)
	makeReference = regexp.MustCompile(`\$[({]([A-Za-z_]+)[)}]`)
)

// makeUses lists what the recipes of a Makefile run.
func makeUses(place, text string) ([]use, error) {
	variables := map[string]string{"MAKE": "make"}
	for _, m := range makeVariable.FindAllStringSubmatch(text, -1) {
		variables[m[1]] = m[2]
	}
	expand := func(recipe string) string {
		for range 5 { // a value may refer to another
			recipe = makeReference.ReplaceAllStringFunc(recipe, func(ref string) string {
				if value, ok := variables[ref[2:len(ref)-1]]; ok {
					return value
				}
				return strconv.Quote("unknown/" + ref[2:len(ref)-1])
			})
		}
		return strings.ReplaceAll(recipe, "$$", "$")
	}
	var found []use
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		recipe, ok := strings.CutPrefix(lines[i], "\t")
		if !ok {
			continue
		}
		at := i + 1
		for strings.HasSuffix(recipe, "\\") && i+1 < len(lines) {
			i++
			recipe += "\n" + strings.TrimPrefix(lines[i], "\t")
		}
		recipe = strings.TrimLeft(recipe, "@-+ ")
		uses, err := shellUses(fmt.Sprintf("%s:%d", place, at), expand(recipe))
		if err != nil {
			return nil, err
		}
		found = append(found, uses...)
	}
	return found, nil
}

// readText reads a file unless it is too large to be a script.
func readText(fsys fs.FS, name string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil || info.Size() > 1<<20 || !info.Mode().IsRegular() {
		return "", err
	}
	text, err := fs.ReadFile(fsys, name)
	return string(text), err
}
