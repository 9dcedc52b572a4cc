package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// private are the folders below the root whose packages nobody else is to import.
var private = []string{"bench", "examples", "test", "tools"}

// load gives the surface of every public package, by the name of its file. A package that exports nothing has none.
func load(ctx context.Context, root string) (map[string][]string, error) {
	root, err := absolute(root)
	if err != nil {
		return nil, err
	}
	found, err := loadAll(ctx, root)
	if err != nil {
		return nil, err
	}
	surfaces := map[string][]string{}
	for _, pkg := range found {
		if err := broken(pkg); err != nil {
			return nil, err
		}
		dir, err := filepath.Rel(root, pkg.Dir)
		if err != nil {
			return nil, err
		}
		house := strings.TrimSuffix(strings.TrimSuffix(pkg.PkgPath, filepath.ToSlash(dir)), "/")
		if pkg.Name == "main" || isPrivate(dir) || isInternal(pkg.PkgPath) {
			continue
		}
		if lines := surface(pkg.Types, house); len(lines) > 0 {
			surfaces[fileName(house, dir)] = append([]string{"package " + pkg.PkgPath}, lines...)
		}
	}
	if len(surfaces) == 0 {
		return nil, fmt.Errorf("%s has no public package: it is not the root of the house", root)
	}
	return surfaces, nil
}

// loadAll loads the packages of the modules that may have public ones.
func loadAll(ctx context.Context, root string) ([]*packages.Package, error) {
	modules, err := workspace(ctx, root)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, dir := range modules {
		if !isPrivate(dir) {
			patterns = append(patterns, "./"+filepath.ToSlash(filepath.Join(dir, "...")))
		}
	}
	return packages.Load(&packages.Config{
		Context: ctx,
		Dir:     root,
		Mode:    packages.NeedName | packages.NeedFiles | packages.NeedTypes,
	}, patterns...)
}

func broken(pkg *packages.Package) error {
	var errs []error
	for _, err := range pkg.Errors {
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s does not build: %w", pkg.PkgPath, errors.Join(errs...))
}

// fileName is the folder in words, since one folder of files is easier to look through than a tree of them; that of the
// root is the last word of the house's import path.
func fileName(house, dir string) string {
	if dir == "." {
		dir = path.Base(house)
	}
	return strings.ReplaceAll(filepath.ToSlash(dir), "/", "-") + ".txt"
}

func isPrivate(dir string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(filepath.Clean(dir)), "/")
	return slices.Contains(private, first)
}

func isInternal(imported string) bool {
	return slices.Contains(strings.Split(imported, "/"), "internal")
}

// absolute resolves links too, as the go command does in what it answers.
func absolute(root string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(root)
}

// workspace lists the folders of the modules that go.work names.
func workspace(ctx context.Context, root string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "work", "edit", "-json")
	cmd.Dir = root
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go work edit -json in %s: %w", root, err)
	}
	var work struct {
		Use []struct {
			DiskPath string `json:"DiskPath"`
		} `json:"Use"`
	}
	if err := json.Unmarshal(text, &work); err != nil {
		return nil, fmt.Errorf("go work edit -json in %s: %w", root, err)
	}
	var dirs []string
	for _, use := range work.Use {
		dirs = append(dirs, use.DiskPath)
	}
	return dirs, nil
}
