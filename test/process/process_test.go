package process_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/process"
)

const limit = 10 * time.Second

func shell(t *testing.T, script string, hear func(process.Line)) *process.Process {
	t.Helper()
	p, err := process.Start("script", exec.CommandContext(t.Context(), "sh", "-c", script), hear)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func is(want string) func(string) bool { return func(text string) bool { return text == want } }

func TestNextTakesTheLinesInOrder(t *testing.T) {
	var heard []string
	p := shell(t, "echo one; echo two >&2; echo three; exec sleep 60", func(l process.Line) { heard = append(heard, l.Text) })
	if l, err := p.Next(t.Context(), limit, "two", is("two")); err != nil || l.Text != "two" {
		t.Errorf("%q, %v", l.Text, err)
	}
	if _, err := p.Next(t.Context(), limit, "three", is("three")); err != nil {
		t.Error(err)
	}
	p.Kill()
	if want := []string{"one", "two", "three"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

func TestNextFails(t *testing.T) {
	gone := shell(t, "echo one; exit 3", nil)
	if _, err := gone.Next(t.Context(), limit, "two", is("two")); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v, want one with the exit status", err)
	}
	silent := shell(t, "exec sleep 60", nil)
	if _, err := silent.Next(t.Context(), time.Millisecond, "word", is("word")); err == nil || !strings.Contains(err.Error(), "no word within 1ms") {
		t.Errorf("error %v, want one with the limit", err)
	}
}

func TestDrainDoesNotWait(t *testing.T) {
	printed := make(chan struct{})
	p := shell(t, "echo one; echo two; echo one; echo last; exec sleep 60", func(l process.Line) {
		if l.Text == "last" {
			close(printed)
		}
	})
	<-printed
	if found := p.Drain(is("one")); len(found) != 2 || found[0].Text != "one" || found[0].At.IsZero() {
		t.Errorf("found %v", found)
	}
	if found := p.Drain(is("two")); len(found) > 0 {
		t.Errorf("found %v a second time", found)
	}
}

func TestInterrupt(t *testing.T) {
	for script, want := range map[string]string{
		"trap 'exit 0' INT; echo set; while :; do sleep 0.01; done": "",
		"trap 'exit 4' INT; echo set; while :; do sleep 0.01; done": "exit status 4",
		"trap '' INT; echo set; exec sleep 60":                      "had not ended after",
	} {
		p := shell(t, script, nil)
		if _, err := p.Next(t.Context(), limit, "trap", is("set")); err != nil {
			t.Fatal(err)
		}
		wait := limit
		if strings.HasPrefix(want, "had not") {
			wait = 50 * time.Millisecond
		}
		err := p.Interrupt(wait)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", script, err, want)
		}
	}
}

// The process ends with the context of its command.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := process.Start("script", exec.CommandContext(ctx, "sleep", "60"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	cancel()
	if _, err := p.Next(t.Context(), limit, "word", is("word")); err == nil || !strings.Contains(err.Error(), "ended (signal: killed)") {
		t.Errorf("error %v", err)
	}
}

func TestStartOfNothing(t *testing.T) {
	if _, err := process.Start("nothing", exec.CommandContext(t.Context(), os.DevNull), nil); err == nil || !strings.Contains(err.Error(), "start nothing") {
		t.Errorf("error %v", err)
	}
}

func TestTerminate(t *testing.T) {
	p := shell(t, "trap 'exit 0' TERM; echo set; while :; do sleep 0.01; done", nil)
	if _, err := p.Next(t.Context(), limit, "trap", is("set")); err != nil {
		t.Fatal(err)
	}
	if err := p.Terminate(limit); err != nil {
		t.Error(err)
	}
	if err := p.Terminate(limit); err == nil || !strings.Contains(err.Error(), "script was to be terminated") {
		t.Errorf("error %v of a process that has ended", err)
	}
}
