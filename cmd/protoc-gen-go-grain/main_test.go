package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program itself, for the tests of its
// command line.
func TestMain(m *testing.M) {
	if os.Getenv("GRAIN_TEST_AS_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), "GRAIN_TEST_AS_PROGRAM=1")
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestVersionFlag(t *testing.T) {
	stdout, stderr, code := program(t, "", "--version")
	if stdout != "protoc-gen-go-grain "+version+"\n" || stderr != "" || code != 0 {
		t.Errorf("%q, %q, exit status %d", stdout, stderr, code)
	}
}

func TestUnknownArgument(t *testing.T) {
	stdout, stderr, code := program(t, "", "protos.proto")
	if stdout != "" || !strings.Contains(stderr, `unknown argument "protos.proto"`) || code != 2 {
		t.Errorf("%q, %q, exit status %d", stdout, stderr, code)
	}
}

func TestNoRequest(t *testing.T) {
	stdout, stderr, code := program(t, "no request")
	if stdout != "" || !strings.Contains(stderr, "standard input") || code != 1 {
		t.Errorf("%q, %q, exit status %d", stdout, stderr, code)
	}
}
