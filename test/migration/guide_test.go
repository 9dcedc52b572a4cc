package migration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/internal/servertest"
	"github.com/granary-go/granary/test/outside"
	"github.com/granary-go/granary/test/process"
)

const guide = "../../docs/migration.md"

// patience is for a program to say something.
const patience = 30 * time.Second

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A program of testdata is a module, with the messages in proto, if it has any.
type program struct{ dir, module, proto string }

// migrate copies a program, follows the steps of the guide, and returns what was built, by the name of its package.
func (p program) migrate(t *testing.T, packages ...string) map[string]string {
	t.Helper()
	servertest.Need(t, "the programs that are migrated")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", p.dir))); err != nil {
		t.Fatal(err)
	}
	rewrite(ctx, t, dir)
	if err := outside.Module(ctx, p.module, root, dir); err != nil {
		t.Fatal(err)
	}
	if p.proto != "" {
		if err := outside.Generate(ctx, p.module, root, dir, p.proto); err != nil {
			t.Fatal(err)
		}
	}
	built := map[string]string{}
	for _, pkg := range packages {
		if built[pkg], err = outside.Build(ctx, dir, "./"+pkg); err != nil {
			t.Fatal(err)
		}
	}
	return built
}

// rewrite runs the guide's rules as the guide says.
func rewrite(ctx context.Context, t *testing.T, dir string) {
	t.Helper()
	page := read(t, guide)
	_, rules, found := strings.Cut(page, "```sed\n")
	rules, _, ended := strings.Cut(rules, "```")
	command := "find . -name '*.go' | xargs sed -E -z -i -f granary.sed"
	if !found || !ended || !strings.Contains(page, "$ "+command+"\n") {
		t.Fatalf("%s has no rules for sed, or no longer says %q", guide, command)
	}
	if err := os.WriteFile(filepath.Join(dir, "granary.sed"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// start starts a program that ends with the test, at the latest.
func start(t *testing.T, name string, args ...string) *process.Process {
	t.Helper()
	p, err := process.Start(filepath.Base(name), exec.Command(name, args...), func(l process.Line) { t.Log(filepath.Base(name)+":", l.Text) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// says expects lines that end like this, in this order, with others between them.
func says(t *testing.T, p *process.Process, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if _, err := p.Next(t.Context(), patience, "line that ends with "+want, func(text string) bool { return strings.HasSuffix(text, want) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLocal2021(t *testing.T) {
	built := program{"2021/local", "example.com/bells", ""}.migrate(t, ".")
	says(t, start(t, built["."]), "bell started", "rung 2 times <nil>", "rung 5 times <nil>", "the bell rests",
		"the bell fails: cannot ring backwards", "bell restarts", "bell started", "rung 1 times <nil>", "echo of ding <nil>", "stopped")
}

func TestLocalToday(t *testing.T) {
	built := program{"today/local", "example.com/kitchen", ""}.migrate(t, ".")
	says(t, start(t, built["."]), "kettle started", "three ticks", "nothing to pour <nil>", "a fill passes", "poured, 1 left <nil>",
		"the kettle fails: spilled", "kettle started", "nothing to pour <nil>", "welcome Ada <nil>", "a fill is a dead letter")
}

func TestRemote2021(t *testing.T) {
	built := program{"2021/remote", "example.com/library", ""}.migrate(t, "host", "caller")
	address := servertest.Address(t)
	host := start(t, built["host"], port(address))
	says(t, host, "listening")
	says(t, start(t, built["caller"], address), "lent: true", "lent: false")
	if err := host.Interrupt(patience); err != nil {
		t.Error(err)
	}
}

func TestRemoteToday(t *testing.T) {
	built := program{"today/remote", "example.com/greeter", ""}.migrate(t, "host", "caller")
	address := servertest.Address(t)
	host := start(t, built["host"], port(address))
	says(t, host, "listening")
	says(t, start(t, built["caller"], address), "hello Ada, you are number 1", "hello Grace, you are number 2", "gone: true")
	says(t, host, "stopping")
	if err := host.Interrupt(patience); err != nil {
		t.Error(err)
	}
}

func TestCluster2021(t *testing.T) {
	built := program{"2021/cluster", "example.com/queue", "shared/queue.proto"}.migrate(t, "member", "client")
	membership := port(servertest.Address(t))
	member := start(t, built["member"], port(servertest.Address(t)), membership)
	says(t, member, "member started")
	says(t, start(t, built["client"], port(servertest.Address(t)), membership), "place: 1", "place: 2", "place: 3")
	says(t, member, "ends: bakery")
	if err := member.Interrupt(patience); err != nil {
		t.Error(err)
	}
}

func TestClusterToday(t *testing.T) {
	built := program{"today/cluster", "example.com/tally", "shared/tally.proto"}.migrate(t, "member", "client")
	address, membership := servertest.Address(t), port(servertest.Address(t))
	member := start(t, built["member"], port(address), membership)
	says(t, member, "member started at "+address)
	says(t, start(t, built["client"], port(servertest.Address(t)), membership), "total: 101", "total: 103", "refused: the total is 103")
	says(t, member, "begins: Tally apples", "ends: apples")
	if err := member.Interrupt(patience); err != nil {
		t.Error(err)
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
