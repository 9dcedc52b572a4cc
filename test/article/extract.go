package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	modulePath = "github.com/granary-go/granary"
	// formerPath is the module that the article was written for. The code is ours to run with this one change.
	formerPath = "github.com/AsynkronIT/protoactor-go"
)

// An example is the code that an article shows.
type example struct {
	module string // the programs' own module path
	proto  string // cluster/messages/protos.proto
	member string // hosts the grain
	client string // calls it
	ports  []string
}

// A block is one fenced piece of code.
type block struct{ language, text string }

var (
	messagesImport = regexp.MustCompile(`"([^"]+)/cluster/messages"`)
	remotePort     = regexp.MustCompile(`remote\.Configure\("[^"]*", (\d+)\)`)
	providerPort   = regexp.MustCompile(`automanaged\.NewWithConfig\([^,]+, (\d+),`)
)

// extract finds the .proto file and the two programs in the text of an article. The programs are the two blocks that
// are whole: the one that starts a member, and the one that starts a client.
func extract(article string) (example, error) {
	var e example
	var programs []string
	for _, b := range blocks(article) {
		switch {
		case b.language == "protobuf" && strings.Contains(b.text, "service "):
			if e.proto != "" {
				return e, errors.New("the article has two .proto files with a service; one is expected")
			}
			e.proto = b.text
		case b.language == "go" && strings.HasPrefix(b.text, "package main\n"):
			programs = append(programs, strings.ReplaceAll(b.text, formerPath, modulePath))
		}
	}
	if e.proto == "" {
		return e, errors.New("the article has no .proto file with a service")
	}
	if len(programs) != 2 {
		return e, fmt.Errorf("the article has %d whole programs; a member and a client are expected", len(programs))
	}
	isClient := func(program string) bool { return strings.Contains(program, ".StartClient()\n") }
	client := slices.IndexFunc(programs, isClient)
	if client < 0 || isClient(programs[1-client]) {
		return e, errors.New("of the article's two programs, one must call StartClient")
	}
	e.client, e.member = programs[client], programs[1-client]
	imported := messagesImport.FindStringSubmatch(e.client)
	if imported == nil {
		return e, errors.New("the client imports no …/cluster/messages")
	}
	e.module = imported[1]
	for _, program := range programs {
		for _, port := range []*regexp.Regexp{remotePort, providerPort} {
			if m := port.FindStringSubmatch(program); m != nil {
				e.ports = append(e.ports, m[1])
			}
		}
	}
	return e, nil
}

// blocks lists the fenced code of a Markdown text.
func blocks(text string) []block {
	var found []block
	inside := false
	for line := range strings.Lines(text) {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !inside:
			found = append(found, block{language: language})
			inside = true
		case fence:
			inside = false
		case inside:
			found[len(found)-1].text += line
		}
	}
	return found
}
