package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// modulePath is the module of the root. All others lie below it.
const modulePath = "github.com/granary-go/granary"

// release is one run.
type release struct {
	root, version string
	dry           bool
	day           time.Time
	out           io.Writer

	branch string
	clone  repository
	proxy  string // the folder of what the proxy serves
}

// run makes the release. Where it fails the checkout is as it was.
func (r *release) run(ctx context.Context) (err error) {
	if err := checkVersion(r.version); err != nil {
		return err
	}
	root := repository{r.root}
	if r.branch, err = root.ready(ctx); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "granary-release-")
	if err != nil {
		return err
	}
	r.proxy = filepath.Join(folder, "proxy")
	defer func() {
		if !r.dry || err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	if r.clone, err = root.clone(ctx, filepath.Join(folder, "clone")); err != nil {
		return err
	}
	tags, err := r.make(ctx)
	if err != nil {
		return err
	}
	r.sayf("trying go install %s/cmd/granary@%s", modulePath, r.version)
	said, err := try(ctx, r.proxy, r.version)
	if err != nil {
		return err
	}
	r.sayf("it says: %s", said)
	if r.dry {
		r.sayf("dry run: %s is the clone, %s what a module proxy would give; nothing else was touched", r.clone.dir, r.proxy)
		return nil
	}
	if err := root.take(ctx, r.clone, r.branch, tags); err != nil {
		return err
	}
	r.sayf("%s has the release. When you have looked at it: git push --atomic origin %s %s", r.branch, r.branch, strings.Join(tags, " "))
	return nil
}

func (r *release) sayf(format string, args ...any) {
	fmt.Fprintf(r.out, "release: "+format+"\n", args...)
}

// checkVersion refuses what no module of the house can have as its version.
func checkVersion(version string) error {
	switch {
	case version == "":
		return errors.New("no version: say which, as in make release VERSION=v0.1.0")
	case !semver.IsValid(version) || semver.Canonical(version) != version:
		return fmt.Errorf("%q is no version: write it in full, like v0.1.0, or v0.1.0-rc.1 for a candidate", version)
	case semver.Compare(semver.Major(version), "v2") >= 0:
		return fmt.Errorf("%s: from v2 on the paths of all modules have to end with /%s first", version, semver.Major(version))
	case semver.Compare(version, "v0.0.1-0") < 0:
		return fmt.Errorf("%s: v0.0.0 stands for the tree itself in every go.mod; begin with v0.1.0", version)
	}
	return nil
}

// make makes both commits and the tags in the clone, and what a proxy would serve. It returns the tags.
func (r *release) make(ctx context.Context) (tags []string, err error) {
	modules, err := readModules(r.clone.dir)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		if m.published {
			tags = append(tags, m.tag(r.version))
		}
	}
	if err := r.clone.lacks(ctx, tags); err != nil {
		return nil, err
	}
	if err := releaseChangelog(filepath.Join(r.clone.dir, "CHANGELOG.md"), r.version, r.day); err != nil {
		return nil, err
	}
	before, err := r.clone.head(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.pin(ctx, modules); err != nil {
		return nil, err
	}
	if err := r.clone.commit(ctx, "release: "+r.version); err != nil {
		return nil, err
	}
	for _, tag := range tags {
		if err := r.clone.tag(ctx, tag, modulePath+" "+r.version); err != nil {
			return nil, err
		}
		r.sayf("tagged %s", tag)
	}
	files := make([]string, 0, 2*len(modules))
	for _, m := range modules {
		files = append(files, m.files()...)
	}
	return tags, r.clone.restore(ctx, before, files, "release: after "+r.version+", the modules see the folders beside them again")
}

// pin makes all modules ask for each other in the version, and puts the published ones into the folder of the proxy. The
// sum of a module is known when those that it requires are done, so they are in the order of their requirements.
func (r *release) pin(ctx context.Context, modules []module) error {
	for _, m := range modules {
		if err := m.pin(r.version); err != nil {
			return err
		}
	}
	sums := map[string][]string{}
	for _, m := range modules {
		if !m.published {
			continue
		}
		if err := m.addSums(sums); err != nil {
			return err
		}
		tree, err := r.clone.tree(ctx)
		if err != nil {
			return err
		}
		lines, err := publish(r.proxy, r.clone.dir, tree, m, r.version, r.day)
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		sums[m.path] = lines
		r.sayf("made %s", m.path)
	}
	return nil
}
