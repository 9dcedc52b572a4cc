package main

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestDocComment(t *testing.T) {
	for _, c := range []struct{ author, own, deprecated, want string }{
		{"", "", "", ""},
		{" \n", "", "", ""},
		{" As written.\n", "", "", "// As written.\n"},
		{" block ", "", "", "// block\n"},
		{"\n Several\n lines\n ", "", "", "// Several\n// lines\n"},
		{"\tcode\n", "", "", "//\tcode\n"},
		{"go:embed x\nnolint\n", "", "", "// go:embed x\n// nolint\n"},
		{" One.\n\n Two.\r\n", "Own.", "Deprecated: yes.", "// One.\n//\n// Two.\n//\n// Own.\n//\n// Deprecated: yes.\n"},
		{" One.\n\n Deprecated: by hand.\n", "", "Deprecated: yes.", "// One.\n//\n// Deprecated: by hand.\n"},
		{"", strings.Repeat("word ", 20), "", "//" + strings.Repeat(" word", 15) + "\n//" + strings.Repeat(" word", 5) + "\n"},
		{"", strings.Repeat("x", 100) + " y", "", "// " + strings.Repeat("x", 100) + "\n// y\n"},
	} {
		if got := docComment(c.author, c.own, c.deprecated); got != c.want {
			t.Errorf("docComment(%q, %q, %q)\ngot  %q\nwant %q", c.author, c.own, c.deprecated, got, c.want)
		}
	}
}

// Comments of a .proto file are words, whatever they are to Go.
func TestCommentsAreNoDirectives(t *testing.T) {
	_, text := output(t, "", ponger+`source_code_info {
		location { path: [12] span: [3, 0, 18] leading_detached_comments: "go:build ignore\n" leading_comments: " +build ignore\n" }
		location { path: [6, 0] span: [5, 0, 9, 1] leading_comments: "go:generate false\nline other.go:1\n" }
		location { path: [6, 0, 2, 0] span: [6, 2, 8] leading_comments: " */ var x int /*\n" } }`)
	if _, err := parser.ParseFile(token.NewFileSet(), "x.go", text, 0); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"// go:build ignore\n", "// go:generate false\n// line other.go:1\n", "// */ var x int /*\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestDeprecatedFile(t *testing.T) {
	_, text := output(t, "", `name: "old.proto" package: "app" options { go_package: "example.com/app" deprecated: true }
		service { name: "Ponger" method { name: "Ping" input_type: ".app.Q" output_type: ".app.A" } }`)
	if !strings.Contains(text, "\n// old.proto is a deprecated file.\n") {
		t.Error("the head of the file does not say so")
	}
	// The interface and its method, the kind, the factory, the actor, the
	// client, what gets it, and its two methods.
	const paragraph = "// Deprecated: The entire proto file old.proto is marked as deprecated.\n"
	if n := strings.Count(text, paragraph); n != 9 {
		t.Errorf("%d declarations are deprecated, want 9:\n%s", n, text)
	}
}
