package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// repository is a git checkout.
type repository struct{ dir string }

// git runs git, and returns what it prints, without the last line break. Its error has what git says.
func (r repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w\n%s", strings.Join(args, " "), r.dir, err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// ready returns the branch that is checked out, or says why no release can be made of the checkout.
func (r repository) ready(ctx context.Context) (branch string, err error) {
	changed, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return "", err
	}
	if changed != "" {
		return "", fmt.Errorf("the checkout has changes, which would not be in the release; commit or stash them first:\n%s", changed)
	}
	if branch, err = r.git(ctx, "branch", "--show-current"); err == nil && branch == "" {
		err = errors.New("no branch is checked out: git switch to the one that is to be released")
	}
	return branch, err
}

// clone makes a clone that commits as the repository does.
func (r repository) clone(ctx context.Context, dir string) (repository, error) {
	if _, err := r.git(ctx, "clone", "--quiet", "--no-hardlinks", ".", dir); err != nil {
		return repository{}, err
	}
	c := repository{dir}
	for _, key := range []string{"user.name", "user.email", "commit.gpgSign", "tag.gpgSign", "gpg.format", "user.signingKey"} {
		value, err := r.git(ctx, "config", "--get", key)
		if err != nil {
			continue // it is not set
		}
		if _, err := c.git(ctx, "config", key, value); err != nil {
			return c, err
		}
	}
	return c, nil
}

// lacks fails if there is one of the tags.
func (r repository) lacks(ctx context.Context, tags []string) error {
	there, err := r.git(ctx, append([]string{"tag", "--list"}, tags...)...)
	if err == nil && there != "" {
		err = fmt.Errorf("released before: there is the tag %s; take the next version, because a module proxy never forgets one", strings.Join(strings.Fields(there), ", "))
	}
	return err
}

func (r repository) head(ctx context.Context) (string, error) { return r.git(ctx, "rev-parse", "HEAD") }

// tree gives the name of a tree with the files as they are now.
func (r repository) tree(ctx context.Context) (string, error) {
	if _, err := r.git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	return r.git(ctx, "write-tree")
}

func (r repository) commit(ctx context.Context, message string) error {
	if _, err := r.git(ctx, "add", "--all"); err != nil {
		return err
	}
	_, err := r.git(ctx, "commit", "--quiet", "--message", message)
	return err
}

func (r repository) tag(ctx context.Context, tag, message string) error {
	_, err := r.git(ctx, "tag", "--annotate", "--message", message, tag)
	return err
}

// restore commits files as they were in an earlier commit; one that was not there goes.
func (r repository) restore(ctx context.Context, commit string, files []string, message string) error {
	args := []string{"restore", "--source", commit, "--staged", "--worktree", "--"}
	for _, file := range files {
		if _, err := os.Stat(r.dir + "/" + file); err == nil { // a module without requirements has no go.sum
			args = append(args, file)
		}
	}
	if _, err := r.git(ctx, args...); err != nil {
		return err
	}
	return r.commit(ctx, message)
}

// take brings the branch and the tags of a clone into the checkout: all of them, or none.
func (r repository) take(ctx context.Context, clone repository, branch string, tags []string) error {
	if now, err := r.ready(ctx); err != nil || now != branch {
		return errors.Join(err, fmt.Errorf("the checkout was changed while the release of %s was made", branch))
	}
	args := []string{"fetch", "--quiet", "--atomic", "--no-tags", clone.dir, "HEAD"}
	for _, tag := range tags {
		args = append(args, "refs/tags/"+tag+":refs/tags/"+tag)
	}
	if _, err := r.git(ctx, args...); err != nil {
		return err
	}
	_, err := r.git(ctx, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
	return err
}
