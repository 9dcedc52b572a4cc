package history

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// childVariable makes the test's program a process that records until it is killed, into the file that it names.
const childVariable = "GRANARY_CHAOS_RECORD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		recordForEver(path)
	}
	os.Exit(m.Run())
}

// recordForEver begins operations, and says of each on standard output that it has been written.
func recordForEver(path string) {
	r, err := Open(path, "c1."+strconv.Itoa(os.Getpid()))
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		call := r.Begin(Operation{Client: "c1", Workload: Register, Kind: "K", Identity: "a", Do: DoWrite, Argument: strconv.Itoa(n)})
		fmt.Println(n)
		call.OK("", Token{})
	}
}

// TestKilled kills processes that share a file, and finds all that they had said to be written.
func TestKilled(t *testing.T) {
	const children, lines = 3, 200
	path := filepath.Join(t.TempDir(), "history.jsonl")
	type child struct {
		*exec.Cmd
		out *bufio.Scanner
	}
	var all []child
	for range children {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, child{c, bufio.NewScanner(out)})
	}
	said := map[string]int{}
	for _, c := range all {
		for n := range lines {
			if !c.out.Scan() || c.out.Text() != strconv.Itoa(n+1) {
				t.Fatalf("line %d is %q", n+1, c.out.Text())
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said["c1."+strconv.Itoa(c.Process.Pid)] = lines
		for c.out.Scan() { // what it had still said
			said["c1."+strconv.Itoa(c.Process.Pid)]++
		}
		_ = c.Wait() // it was killed
	}
	h, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	found, under := map[string]int{}, 0
	for _, op := range h.Operations {
		found[op.By]++
		if op.End == Never {
			under++
		}
	}
	for by, n := range said {
		if found[by] < n || found[by] > n+1 {
			t.Errorf("%s has recorded %d operations, and said so of %d", by, found[by], n)
		}
	}
	if len(h.Processes) != children || under > children || h.Torn > children {
		t.Errorf("%d processes, %d operations under way, %d torn lines", len(h.Processes), under, h.Torn)
	}
	expect(t, CheckProcesses(h, Options{}), "crash", Failure) // nobody has recorded that they were killed
}
