package compat

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/fleet"
	"github.com/granary-go/granary/test/process"
)

// limit bounds every wait for one thing.
const limit = time.Minute

// A member is a process that does what it is told.
type member struct {
	*process.Process

	t       *testing.T
	name    string
	in      io.Writer
	address string // of its remoting
}

// start starts a member and waits until it is one.
func start(t *testing.T, notes *fleet.Notes, name, program string, args ...string) *member {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(name, cmd, func(l process.Line) { notes.Add(name, l.Text) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	m := &member{Process: p, t: t, name: name, in: in}
	m.address = m.line("member ")
	return m
}

// line gives the rest of the next line that begins with one of the words.
func (m *member) line(words ...string) (rest string) {
	m.t.Helper()
	_, err := m.Next(m.t.Context(), limit, strings.Join(words, "or "), func(text string) bool {
		for _, word := range words {
			if after, is := strings.CutPrefix(text, word); is {
				rest = after
				if word == "error " {
					rest = text
				}
				return true
			}
		}
		return false
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return rest
}

// ask tells the member to do something, and gives its answer; one that begins with "error" says what failed.
func (m *member) ask(words ...string) string {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.in, strings.Join(words, " ")); err != nil {
		m.t.Fatal(err)
	}
	return m.line("answer ", "error ")
}

// leave has the member leave gracefully, and waits for its end.
func (m *member) leave() {
	m.t.Helper()
	if said := m.ask("leave"); said != "left" {
		m.t.Errorf("%s was told to leave: %s", m.name, said)
	}
	if err := m.Wait(limit); err != nil {
		m.t.Error(err)
	}
}
