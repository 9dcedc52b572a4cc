package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/internal/exampletest"
	"github.com/granary-go/granary/internal/servertest"
)

// visitor is a browser with an open page.
type visitor struct {
	t     *testing.T
	url   string // of the room, with the guest
	body  io.Closer
	lines chan string // all that it gets; closed at its end
}

// visit opens a room at a member, and waits until the guest is in it.
func visit(t *testing.T, page, name string) *visitor {
	t.Helper()
	v := &visitor{t: t, url: page + "/rooms/garden/lines?guest=" + name, lines: make(chan string, 100)}
	reply, err := http.Get(v.url)
	if err != nil {
		t.Fatal(err)
	}
	v.body = reply.Body
	t.Cleanup(v.leave)
	if reply.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(reply.Body)
		t.Fatalf("%s: %s: %s", v.url, reply.Status, text)
	}
	go func() { // ends with the body
		defer close(v.lines)
		for scanner := bufio.NewScanner(reply.Body); scanner.Scan(); {
			v.lines <- scanner.Text()
		}
	}()
	return v
}

// leave closes the page.
func (v *visitor) leave() { _ = v.body.Close() }

// hear waits for a line with a text, and gives all up to it and the empty one that ends it.
func (v *visitor) hear(text string) (heard []string) {
	v.t.Helper()
	for late := time.After(exampletest.Patience); ; {
		select {
		case line, open := <-v.lines:
			if !open {
				v.t.Fatalf("%s ended without %q; before it came:\n%s", v.url, text, strings.Join(heard, "\n"))
			}
			if heard = append(heard, line); strings.Contains(line, text) {
				return append(heard, <-v.lines)
			}
		case <-late:
			v.t.Fatalf("%s: no %q came; before it came:\n%s", v.url, text, strings.Join(heard, "\n"))
		}
	}
}

// say posts a text, and gives the status.
func (v *visitor) say(text string) int {
	v.t.Helper()
	reply, err := http.Post(v.url, "text/plain", strings.NewReader(text))
	if err != nil {
		v.t.Fatal(err)
	}
	_ = reply.Body.Close()
	return reply.StatusCode
}

// Two guests at two members talk as the README shows it, and one goes on when the other's member has ended.
func TestChat(t *testing.T) {
	program := exampletest.Build(t, ".")
	ports := []int{servertest.Port(t), servertest.Port(t)}
	var members []*exampletest.Process
	var pages []string
	for _, port := range ports {
		m := exampletest.Start(t, program, "-web=127.0.0.1:0", fmt.Sprintf("-membership-port=%d", port),
			fmt.Sprintf("-members=127.0.0.1:%d,127.0.0.1:%d", ports[0], ports[1]))
		line := m.Until("the page is at")
		exampletest.Compare(t, exampletest.Shown(t, len(members)), []string{line})
		members, pages = append(members, m), append(pages, strings.TrimPrefix(line, "the page is at "))
	}

	checkPage(t, pages[0])
	bob := visit(t, pages[1], "bob")
	heard := bob.hear("bob is here")
	ada := visit(t, pages[0], "ada")
	heard = append(heard, bob.hear("ada is here")...)
	for guest, text := range map[*visitor]string{ada: strings.Repeat("a", maxText+1), bob: ""} {
		if got := guest.say(text); got < 400 || got >= 500 {
			t.Errorf("%d bytes are answered with %d", len(text), got)
		}
	}
	ada.say("Hello!")
	heard = append(heard, bob.hear("Hello!")...)
	bob.say("Hi, Ada.")
	ada.hear("Hi, Ada.")
	heard = append(heard, bob.hear("Hi, Ada.")...)
	ada.leave()
	heard = append(heard, bob.hear("has left")...)
	exampletest.Compare(t, exampletest.Shown(t, 2), heard)

	members[0].Terminate()
	members[0].Wait()
	// Bob is in the room, or will be as soon as he enters it anew, within a second.
	bob.until("Is anybody here?")
	members[1].Terminate()
	members[1].Wait()
}

// until says a text until it is heard.
func (v *visitor) until(text string) {
	v.t.Helper()
	tick := time.NewTicker(renewal / 2)
	defer tick.Stop()
	for v.say(text); ; {
		select {
		case line, open := <-v.lines:
			if !open {
				v.t.Fatalf("%s ended", v.url)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-tick.C:
			v.say(text)
		}
	}
}

// checkPage looks at what a browser gets first, and at a guest without a name.
func checkPage(t *testing.T, page string) {
	t.Helper()
	reply, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reply.Body)
	_ = reply.Body.Close()
	if err != nil || !strings.Contains(string(text), "<title>Rooms</title>") || !strings.HasPrefix(reply.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: %v, %s\n%s", page, err, reply.Header, text)
	}
	nameless, err := http.Get(page + "/rooms/garden/lines")
	if err != nil {
		t.Fatal(err)
	}
	_ = nameless.Body.Close()
	if nameless.StatusCode != http.StatusBadRequest {
		t.Errorf("a guest without a name is answered with %s", nameless.Status)
	}
}
