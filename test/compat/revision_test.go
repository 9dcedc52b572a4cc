package compat

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var revisionsFlag = flag.String("compat.revisions", "", "former revisions, with commas between; the commit before and the newest release if empty")

// house is the root of this tree, and memberFolder that of the program below it.
const (
	house        = "../.."
	memberFolder = "test/compat/member"
)

// pinned stands for the newest release as long as there is none.
const pinned = "4cd1bfa"

// before is the commit before this one.
const before = "HEAD~1"

// errNoHistory is the error where a revision that was not named is not there.
var errNoHistory = errors.New("no history")

// A revision is one that members are built from.
type revision struct{ name, hash string }

// revisions finds the former revisions in the history of the clone at root.
func revisions(ctx context.Context, root, names string) (found []revision, err error) {
	if names == "" {
		release, err := git(ctx, root, "describe", "--tags", "--abbrev=0", "--match=v[0-9]*", before)
		if err != nil {
			release = pinned // that there is no tag; whether there is a history shows below
		}
		names = before + "," + release
	}
	for name := range strings.SplitSeq(names, ",") {
		hash, err := git(ctx, root, "rev-parse", "--quiet", "--verify", name+"^{commit}")
		if err != nil {
			return nil, fmt.Errorf("%w: %s is not in that of %s (%w): the test needs a git clone with its history. In a shallow one run "+
				"`git fetch --unshallow --tags`; in a tree without git, run it in a clone; or name a revision that is there by -compat.revisions", errNoHistory, name, root, err)
		}
		if !slices.ContainsFunc(found, func(r revision) bool { return r.hash == hash }) {
			found = append(found, revision{name, hash})
		}
	}
	return found, nil
}

// git gives what git prints on its output.
func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = root
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// build builds the member of a revision, in a folder of the test, and gives the program.
func (r revision) build(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	archive, err := git(t.Context(), house, "archive", "--format=tar", r.hash)
	if err == nil {
		err = unpack(tree, strings.NewReader(archive))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(tree, memberFolder)); errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s has no member of its own: today's is built against its code", r.name)
		if err := os.CopyFS(filepath.Join(tree, memberFolder), os.DirFS(filepath.Join(house, memberFolder))); err != nil {
			t.Fatal(err)
		}
	}
	return buildIn(t, tree)
}

// buildIn builds the member of a tree.
func buildIn(t *testing.T, tree string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "member")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./compat/member")
	cmd.Dir = filepath.Join(tree, "test")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the member of %s: %v\n%s", tree, err, out)
	}
	return program
}

// unpack writes the folders and files of an archive below dir. A link or whatever else it has is left out.
func unpack(dir string, archive io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for files := tar.NewReader(archive); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(header.Name, 0o755)
		case tar.TypeReg:
			var text []byte
			if text, err = io.ReadAll(files); err == nil {
				err = root.WriteFile(header.Name, text, 0o644)
			}
		}
		if err != nil {
			return err
		}
	}
}

// Where the history is not there, the test says what to do.
func TestWithoutHistory(t *testing.T) {
	origin, shallow := t.TempDir(), t.TempDir()
	for _, c := range []struct {
		in   string
		args []string
	}{
		{origin, []string{"init", "--quiet"}},
		{origin, commit("one")},
		{origin, []string{"tag", "v0.1.0"}},
		{origin, commit("two")},
		{origin, []string{"tag", "version-of-nothing"}},
		{origin, commit("three")},
		{shallow, []string{"clone", "--quiet", "--depth=1", "file://" + origin, "."}},
	} {
		if _, err := git(t.Context(), c.in, c.args...); err != nil {
			t.Fatal(err)
		}
	}
	found, err := revisions(t.Context(), origin, "")
	if err != nil || len(found) != 2 || found[0].name != before || found[1].name != "v0.1.0" {
		t.Errorf("the revisions are %v, %v", found, err)
	}
	if found, err := revisions(t.Context(), origin, "HEAD,HEAD~0,v0.1.0"); err != nil || len(found) != 2 {
		t.Errorf("the revisions named are %v, %v", found, err)
	}
	for what, root := range map[string]string{"a shallow clone": shallow, "no clone": t.TempDir()} {
		if found, err := revisions(t.Context(), root, ""); err == nil || !strings.Contains(err.Error(), "git fetch --unshallow --tags") {
			t.Errorf("%s: %v, %v; want an error that says what to do", what, found, err)
		}
	}
}

func commit(message string) []string {
	return []string{"-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "--allow-empty", "-m", message}
}
