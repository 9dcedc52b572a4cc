package exampletest

import (
	"os"
	"slices"
	"testing"
)

func TestShown(t *testing.T) {
	t.Chdir(t.TempDir())
	const readme = "# It\n\n```console\n$ go run .\none\n```\n\n```go\nno\n```\n\n```console\n$ go run ./more\n\ntwo\n$ ls\n```\n"
	if err := os.WriteFile("README.md", []byte(readme), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Shown(t, 0); !slices.Equal(got, []string{"one"}) {
		t.Errorf("block 0 shows %q", got)
	}
	if got := Shown(t, 1); !slices.Equal(got, []string{"", "two"}) {
		t.Errorf("block 1 shows %q", got)
	}
}

func TestAlike(t *testing.T) {
	for name, c := range map[string]struct {
		shown, printed []string
		want           bool
	}{
		"nothing":            {nil, nil, true},
		"the same":           {[]string{"a", "b"}, []string{"a", "b"}, true},
		"another":            {[]string{"a"}, []string{"b"}, false},
		"more":               {[]string{"a"}, []string{"a", "b"}, false},
		"less":               {[]string{"a", "b"}, []string{"a"}, false},
		"other ports":        {[]string{"on 127.0.0.1:1 and localhost:2"}, []string{"on 127.0.0.1:33 and localhost:4"}, true},
		"other hosts":        {[]string{"on 127.0.0.1:1"}, []string{"on localhost:1"}, false},
		"other times":        {[]string{"took 1.25s"}, []string{"took 30ms"}, true},
		"other counts":       {[]string{"took 1"}, []string{"took 2"}, false},
		"any lines":          {[]string{"a", Any, "z"}, []string{"a", "b", "c", "z"}, true},
		"any lines, none":    {[]string{"a", Any, "z"}, []string{"a", "z"}, true},
		"any lines, no end":  {[]string{"a", Any, "z"}, []string{"a", "b"}, false},
		"any lines, at last": {[]string{"a", Any}, []string{"a", "b"}, true},
	} {
		if got := alike(c.shown, c.printed); got != c.want {
			t.Errorf("%s: %t; want %t", name, got, c.want)
		}
	}
}
