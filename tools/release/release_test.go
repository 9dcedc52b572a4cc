package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aVersion is one that will never be out.
const aVersion = "v0.999.0-test.1"

var aDay = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// TestDryRun makes a release of this tree, and uses it as others would: installs the command and runs it, requires the core
// and a provider in a module of their own, and checks the release out.
func TestDryRun(t *testing.T) {
	if os.Getenv("GRANARY_TEST_SERVERS") == "" {
		t.Skip("needs the house as a stranger compiles it, which `make test-all` builds")
	}
	root := houseCopy(t)
	var out strings.Builder
	r := release{root: root.dir, version: aVersion, dry: true, day: aDay, out: &out}
	if err := r.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(r.proxy)) })
	if tags := git(t, root, "tag"); tags != "" {
		t.Errorf("a dry run tags the checkout: %s", tags)
	}
	for _, want := range []string{aVersion, "cluster/etcd/" + aVersion, "cmd/granary/" + aVersion, "contrib/otel/" + aVersion} {
		if !strings.Contains("\n"+git(t, r.clone, "tag")+"\n", "\n"+want+"\n") {
			t.Errorf("there is no tag %s", want)
		}
	}
	address, stop, err := serve(t.Context(), r.proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := newCustomer(t.TempDir(), address)
	t.Run("install", func(t *testing.T) { install(t, c) })
	t.Run("require", func(t *testing.T) { require(t, c) })
	t.Run("check out", func(t *testing.T) { checkOut(t, c, r.clone) })
}

func install(t *testing.T, c customer) {
	must(t, c, "go", "install", modulePath+"/cmd/granary@"+aVersion)
	granary := filepath.Join(c.dir, "bin", "granary")
	if says := must(t, c, granary, "version"); !strings.HasPrefix(says, "granary "+aVersion+", go1.") {
		t.Errorf("granary version says %q", says)
	}
	if says := must(t, c, granary, "demo", "--for", "16s"); !strings.Contains(says, "3 members") {
		t.Errorf("granary demo says\n%s", says)
	}
	// The generator of grains is in the core.
	must(t, c, "go", "install", modulePath+"/cmd/protoc-gen-go-grain@"+aVersion)
}

const program = `package main

import (
	"fmt"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/etcd"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func main() {
	system := actor.NewActorSystem()
	defer system.Shutdown()
	fmt.Println("leases:", etcd.New(clientv3.Config{}).Leases())
}
`

func require(t *testing.T, c customer) {
	c.dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, c, "go", "mod", "init", "example.com/shop")
	must(t, c, "go", "get", modulePath+"@"+aVersion, modulePath+"/cluster/etcd@"+aVersion)
	must(t, c, "go", "mod", "tidy")
	if says := must(t, c, "go", "run", "."); says != "leases: true" {
		t.Errorf("the program says %q", says)
	}
	if mod := read(t, filepath.Join(c.dir, "go.mod")); strings.Contains(mod, "replace") || !strings.Contains(mod, modulePath+"/cluster/etcd "+aVersion) {
		t.Errorf("go.mod:\n%s", mod)
	}
}

// checkOut builds published modules of the release commit by themselves: their go.sum has to have the sums. The
// house has to be in order there, and on the branch.
func checkOut(t *testing.T, c customer, clone repository) {
	branch := git(t, clone, "branch", "--show-current")
	for _, commit := range []string{aVersion, branch} {
		git(t, clone, "checkout", "--quiet", commit)
		mod := read(t, filepath.Join(clone.dir, "cluster/etcd/go.mod"))
		if strings.Contains(mod, "replace") != (commit == branch) || strings.Contains(mod, aVersion) != (commit == aVersion) {
			t.Errorf("cluster/etcd/go.mod of %s:\n%s", commit, mod)
		}
		if log := read(t, filepath.Join(clone.dir, "CHANGELOG.md")); !strings.Contains(log, "## [Unreleased]\n\n## [0.999.0-test.1] - 2027-03-01\n") {
			t.Errorf("CHANGELOG.md of %s:\n%.600s", commit, log)
		}
		for _, module := range []string{"cluster/etcd", "contrib/otel", "examples/member", "test"} {
			c.dir = filepath.Join(clone.dir, module)
			must(t, c, "go", "build", "-mod=readonly", "./...")
		}
		c.dir = clone.dir
		must(t, c, "go", "test", "-run", "^TestHouse$", ".")
	}
}

// houseCopy makes a repository of its own of the tree as it is now, with what is not committed.
func houseCopy(t *testing.T) repository {
	t.Helper()
	house, copied := repository{"../.."}, newRepository(t)
	for file := range strings.SplitSeq(git(t, house, "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00") {
		text, err := os.ReadFile(filepath.Join(house.dir, file))
		if file == "" || os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		write(t, copied, file, string(text))
	}
	commit(t, copied)
	return copied
}

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t.TempDir()}
	git(t, r, "init", "--quiet", "--initial-branch=main")
	git(t, r, "config", "user.name", "Test")
	git(t, r, "config", "user.email", "test@example.com")
	return r
}

func git(t *testing.T, r repository, args ...string) string {
	t.Helper()
	out, err := r.git(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func commit(t *testing.T, r repository) {
	t.Helper()
	if err := r.commit(t.Context(), "as it is"); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, r repository, file, text string) {
	t.Helper()
	target := filepath.Join(r.dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func must(t *testing.T, c customer, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	out, err := c.run(ctx, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
