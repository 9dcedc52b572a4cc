package main

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/internal/servertest"
)

const fixture = "testdata/article.md"

func read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExtract(t *testing.T) {
	e, err := extract(read(t))
	if err != nil {
		t.Fatal(err)
	}
	if e.module != "example.com/bells" {
		t.Errorf("module %q", e.module)
	}
	if want := []string{"20001", "20002", "20003", "20004"}; !slices.Equal(e.ports, want) {
		t.Errorf("ports %v, want %v", e.ports, want)
	}
	for part, text := range map[string]string{"service Ponger": e.proto, "PongerFactory": e.member, "StartClient": e.client} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	for _, program := range []string{e.member, e.client} {
		if strings.Contains(program, formerPath) || !strings.Contains(program, modulePath+"/actor") {
			t.Errorf("the module root was not replaced:\n%s", program)
		}
	}
}

func TestExtractRefuses(t *testing.T) {
	text := read(t)
	for name, c := range map[string]struct{ text, want string }{
		"no .proto":   {strings.Replace(text, "```protobuf", "```", 1), "no .proto"},
		"two .protos": {text + "```protobuf\nservice Other {}\n```\n", "two .proto"},
		"one program": {strings.Replace(text, "package main", "package other", 1), "has 1 whole program"},
		"no client":   {strings.Replace(text, "StartClient", "Start", 1), "must call StartClient"},
		"no messages": {strings.ReplaceAll(text, "/cluster/messages", "/messages"), "imports no"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := extract(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestArticle takes the small article through the whole of it, with processes, on ports that are free.
func TestArticle(t *testing.T) {
	out, err := proveFixture(t, func(text string) string { return text })
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if oks := strings.Count(out, "* OK: "); oks != 6 {
		t.Errorf("%d things shown, want 6:\n%s", oks, out)
	}
}

// An article whose programs do something else must not pass.
func TestArticleThatFails(t *testing.T) {
	for name, c := range map[string]struct{ old, changed, want string }{
		"wrong answer":      {"return s, nil", "return &messages.Stroke{Cnt: s.Cnt + 1}, nil", "ping 1 was answered with 2"},
		"idle for too long": {"Timeout: 2 * time.Second", "Timeout: time.Minute", "no line about the grain's termination"},
		"idle too shortly":  {"Timeout: 2 * time.Second", "Timeout: 400 * time.Millisecond", "its timeout is 2s"},
		"broken code":       {"return s, nil", "return s", "go build"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := proveFixture(t, func(text string) string { return strings.Replace(text, c.old, c.changed, 1) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q:\n%s", err, c.want, out)
			}
		})
	}
}

var fixturePace = pace{
	answer: 10 * time.Second, ping: 200 * time.Millisecond, idle: 2 * time.Second,
	down: time.Second, back: 30 * time.Second, exit: 10 * time.Second,
}

func proveFixture(t *testing.T, change func(string) string) (transcript string, err error) {
	t.Helper()
	text := change(read(t))
	for i, port := range freePorts(t, 4) {
		text = strings.ReplaceAll(text, strconv.Itoa(20001+i), strconv.Itoa(port))
	}
	file := t.TempDir() + "/article.md"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = prove(context.Background(), newTranscript(&out), fixturePace, "../..", file, "")
	return out.String(), err
}

// freePorts reserves ports for the length of the test.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		ports[i] = servertest.Port(t)
	}
	return ports
}
