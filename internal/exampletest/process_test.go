package exampletest

import (
	"os"
	"slices"
	"testing"
)

// A program says something, waits for SIGTERM, says something more and ends well.
func TestProcess(t *testing.T) {
	p := Start(t, "/bin/sh", "-c", `trap 'echo bye; exit 0' TERM; echo hello; echo there; while :; do :; done`)
	if got := p.Until("the"); got != "there" {
		t.Errorf("Until gives %q", got)
	}
	p.Terminate()
	if got := p.Wait(); !slices.Equal(got, []string{"hello", "there", "bye"}) {
		t.Errorf("it printed %q", got)
	}
}

func TestBuild(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod":  "module example.com/hello\n\ngo 1.26.0\n",
		"main.go": "package main\n\nfunc main() { println(\"to stderr\"); print() }\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOWORK", "off")
	if got := Start(t, Build(t, ".")).Wait(); len(got) != 0 {
		t.Errorf("it printed %q", got)
	}
}
