package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The program is built with the command of the Dockerfile. It needs neither a loader nor a library, so that an image
// of it alone runs; it is run by a number that is not root's; and outside of a pod it says what is missing.
func TestDockerfile(t *testing.T) {
	if os.Getenv("GRANARY_TEST_SERVERS") == "" {
		t.Skip("needs the program without the race detector, which `make test-all` builds")
	}
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	run := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*) -o /member \.$`).FindSubmatch(text)
	if run == nil {
		t.Fatal("the Dockerfile has no line that builds the program")
	}
	program := filepath.Join(t.TempDir(), "member")
	build := exec.CommandContext(t.Context(), "sh", "-c", string(run[1])+` -o "$0" .`, program)
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("the program needs a loader: it is not static")
		}
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the program needs libraries: %v, %v", libraries, err)
	}
	user := regexp.MustCompile(`(?m)^USER ([0-9]+):[0-9]+$`).FindSubmatch(text)
	if user == nil || string(user[1]) == "0" {
		t.Error("the image is not run by the number of a user other than root")
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "POD_IP") {
		t.Errorf("outside of a pod: %v: %s", err, out)
	}
}
