package browser

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var (
	address = regexp.MustCompile(`in your browser: (http://\S+)`)
	pid     = regexp.MustCompile(`member (\d+)  pid (\d+) +(\S+)`)
)

// demo starts the demo, and gives the address of its page and the pids of its members by their addresses.
func demo(t *testing.T) (url string, pids map[string]int) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "granary")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "cmd", "granary")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The test kills a member when the page is ready for it.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "demo", "--kill-after=10h", "--add-after=11h")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	pids = make(map[string]int)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "All grains answered") {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			url = found[1]
		}
		if found := pid.FindStringSubmatch(lines.Text()); found != nil {
			pids[found[3]], _ = strconv.Atoi(found[2])
		}
	}
	rest := make(chan struct{})
	go func() { // the demo must not wait for a reader
		defer close(rest)
		_, _ = io.Copy(io.Discard, out)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-rest
		if err := cmd.Wait(); err != nil {
			t.Log("the demo ended by", err)
		}
	})
	if url == "" || len(pids) != 3 {
		t.Fatalf("the demo says %q and %v", url, pids)
	}
	return url, pids
}

// A newcomer sees the cluster alive, and a member dying without harm, on one page that is never loaded again.
func TestDemo(t *testing.T) {
	installed(t)
	url, pids := demo(t)
	p := open(t, url)
	p.await("three members that are ready", `document.querySelectorAll('#members tbody .badge.good').length === 3`)
	p.await("the health", `document.querySelector('#health-text').textContent === 'All 3 members are ready'`)
	p.await("grains of a kind", `document.querySelector('#kinds').textContent.includes('300 grains')`)
	p.await("calls, as a plot", `/now: answered \d+/.test(document.querySelector('#plots svg').getAttribute('aria-label')) && document.querySelector('#plots .line').getAttribute('d').length > 40`)
	p.await("the ring", `document.querySelectorAll('#ring .arc').length === 3`)
	_ = gives[bool](p, `window.kept = true`)

	victim := gives[string](p, `document.querySelector('#members tbody strong').textContent`)
	if err := syscall.Kill(pids[victim], syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s of %v: %v", victim, pids, err)
	}
	p.await("the lost member", `document.querySelector('#members tr.lost strong')?.textContent === '`+victim+`'`)
	p.await("the event", `document.querySelector('#events li.lost')?.textContent.includes('`+victim+`')`)
	p.await("the announcement", `document.querySelector('#announcer').textContent.startsWith('lost: ')`)
	p.await("the health of the others", `/^All 2 members are ready, .* lost .* ago$/.test(document.querySelector('#health-text').textContent)`)
	p.await("no harm", `document.querySelectorAll('#ring .arc').length === 2 && document.querySelector('#kinds').textContent.includes('300 grains')`)
	if !gives[bool](p, `window.kept === true`) {
		t.Error("the page was loaded again")
	}

	_ = gives[bool](p, `(document.querySelector('#find-identity').value = 'counter-7', document.querySelector('#find .main').click(), true)`)
	p.await("the explanation", `document.querySelector('#find-said').textContent.startsWith('Counter/counter-7 is active on 127.0.0.1:')`)
	if n := gives[int](p, `document.querySelectorAll('#found .steps li').length`); n < 4 {
		t.Errorf("%d steps", n)
	}
	if *shots != "" {
		p.await("a while of life", `/lost 2\d s ago/.test(document.querySelector('#health-text').textContent)`)
	}
	p.shoot("demo")
}
