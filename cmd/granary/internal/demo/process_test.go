package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test program stand for a member process: of this package,
// or one that misbehaves.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != MemberVerb {
		os.Exit(m.Run())
	}
	switch os.Getenv("GRANARY_TEST_MEMBER") {
	case "deaf": // it hears nothing, not even that its parent is gone
		fmt.Println(wordListening, "127.0.0.1:1")
		fmt.Println(wordReady, "127.0.0.1:2")
		select {}
	case "broken":
		fmt.Fprintln(os.Stderr, "no room to live")
		os.Exit(3)
	}
	if err := (Member{Number: 1, Ping: time.Second}).Run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// testFleet is a fleet of this test program, which is gone after the test.
func testFleet(t *testing.T, ended func(*process)) *fleet {
	t.Helper()
	f, err := newFleet(Defaults(), nil, ended)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range f.all() {
			p.kill()
			<-p.exited
		}
	})
	return f
}

func TestFleet(t *testing.T) {
	ended := make(chan *process, 1)
	f := testFleet(t, func(p *process) { ended <- p })
	members, err := f.launch(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range members {
		if p.number != i+1 || f.at(p.address()) != p || !p.running() {
			t.Errorf("member %d at %q", p.number, p.address())
		}
	}
	if err := members[0].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if p := <-ended; p != members[0] || !p.wasKilled() || p.running() {
		t.Errorf("member %d ended, by %v", p.number, p.cause())
	}
	if err := f.stop(); err != nil {
		t.Error(err)
	}
	if members[1].running() || members[1].wasKilled() || len(ended) > 0 {
		t.Errorf("member 2 ended by %v", members[1].cause())
	}
	if err := syscall.Kill(members[1].pid(), 0); err == nil {
		t.Error("member 2 is left")
	}
}

func TestMemberDoesNotStart(t *testing.T) {
	t.Setenv("GRANARY_TEST_MEMBER", "broken")
	_, err := testFleet(t, nil).launch(t.Context(), 1)
	if err == nil || !strings.Contains(err.Error(), "member 1 ended before it was one: exit status 3") || !strings.Contains(err.Error(), "no room to live") {
		t.Errorf("error %v", err)
	}
}

func TestMemberThatDoesNotStopIsKilled(t *testing.T) {
	t.Setenv("GRANARY_TEST_MEMBER", "deaf")
	members, err := testFleet(t, nil).launch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := members[0].stop(ctx); err == nil || !strings.Contains(err.Error(), "did not stop in time and was killed") {
		t.Errorf("error %v", err)
	}
	if members[0].running() || !members[0].wasKilled() {
		t.Error("it runs on")
	}
}

// A member ends when its parent does, in each of its states.
func TestMemberWithoutParent(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		clean bool
	}{
		"at once":         {"", false},
		"while it starts": {"hosts 127.0.0.1:1\n", false},
		"stopped early":   {"stop\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			err := Member{Number: 1, Ping: time.Second}.Run(t.Context(), strings.NewReader(c.in), io.Discard)
			if (err == nil) != c.clean {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTail(t *testing.T) {
	var through strings.Builder
	log := &tail{through: &through}
	if log.indented() != "" {
		t.Error("an empty log is mentioned")
	}
	for range keptLog {
		fmt.Fprintln(log, "a line")
	}
	if len(log.text) != keptLog || through.Len() != keptLog*len("a line\n") {
		t.Errorf("%d bytes kept, %d passed on", len(log.text), through.Len())
	}
}
