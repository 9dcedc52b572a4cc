package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakes stand for the programs through which scripts/setup sees the machine. The folder $STATE holds what they know.
var fakes = map[string]string{
	"dpkg-query": `for last; do :; done; [ -e "$STATE/lacks-$last" ] && exit 1; echo -n installed`,
	"apt-get": `echo "$*" >>"$STATE/apt"
case "$*" in
*update*) [ ! -e "$STATE/offline" ] && touch "$STATE/updated" ;;
*install*) [ -e "$STATE/updated" ] && rm "$STATE"/lacks-* ;;
esac`,
	"sudo": `[ ! -e "$STATE/nosudo" ] && shift && exec "$@"`,
	"id":   `cat "$STATE/id"`,
}

func TestSetup(t *testing.T) {
	for _, c := range []struct {
		name  string
		word  string   // for scripts/setup
		state []string // files of $STATE
		id    string
		ok    bool
		want  string // part of what is printed
		apt   int    // runs of apt-get
	}{
		{name: "all is there", id: "0", ok: true, want: "are installed"},
		{name: "one is missing", state: []string{"lacks-gcc"}, id: "0", ok: true, want: "installing gcc", apt: 3},
		{name: "index is fresh", state: []string{"lacks-gcc", "updated"}, id: "0", ok: true, want: "setup: done", apt: 1},
		{name: "no network", state: []string{"lacks-gcc", "offline"}, id: "0", want: "apt-get update failed", apt: 2},
		{name: "user who may sudo", state: []string{"lacks-gcc", "updated"}, id: "1000", ok: true, want: "setup: done", apt: 1},
		{name: "user who may not", state: []string{"lacks-gcc", "nosudo"}, id: "1000", want: "As root, run: apt-get install gcc"},
		{name: "a browser is missing, and not needed", state: []string{"lacks-chromium"}, id: "0", ok: true, want: "are installed"},
		{name: "a browser is missing", word: "all", state: []string{"lacks-chromium", "updated"}, id: "0", ok: true, want: "installing chromium", apt: 1},
		{name: "another word", word: "most", id: "0", want: "most is no word that it knows"},
		{name: "user with nothing to do", state: []string{"nosudo"}, id: "1000", ok: true, want: "are installed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin, state := t.TempDir(), t.TempDir()
			for name, script := range fakes {
				writeFile(t, filepath.Join(bin, name), "#!/usr/bin/env bash\n"+script+"\n")
			}
			writeFile(t, filepath.Join(state, "id"), c.id)
			for _, name := range c.state {
				writeFile(t, filepath.Join(state, name), "")
			}
			cmd := exec.Command("../../scripts/setup")
			if c.word != "" {
				cmd.Args = append(cmd.Args, c.word)
			}
			cmd.Env = append(os.Environ(), "STATE="+state, "PATH="+bin+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err == nil) != c.ok || !strings.Contains(string(out), c.want) {
				t.Errorf("status %v, want success: %t; printed, want %q:\n%s", err, c.ok, c.want, out)
			}
			calls, _ := os.ReadFile(filepath.Join(state, "apt")) // there is none when it was not called
			if got := strings.Count(string(calls), "\n"); got != c.apt {
				t.Errorf("%d runs of apt-get, want %d:\n%s", got, c.apt, calls)
			}
		})
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
