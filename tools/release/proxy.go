package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	goversion "golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// publish writes what a module proxy gives of a module into a folder, from a git tree, and returns the lines that
// whoever requires it has in go.sum.
func publish(proxy, repo, tree string, m module, version string, day time.Time) (sums []string, err error) {
	subdir := m.dir
	if subdir == "." {
		subdir = ""
	}
	v := goversion.Version{Path: m.path, Version: version}
	folder := filepath.Join(proxy, filepath.FromSlash(m.path), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	if err := modzip.CreateFromVCS(&archive, v, repo, tree, subdir); err != nil {
		return nil, err
	}
	mod, err := os.ReadFile(m.file("go.mod"))
	if err != nil {
		return nil, err
	}
	info, err := json.Marshal(map[string]string{"Version": version, "Time": day.Format(time.RFC3339)})
	if err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{
		version + ".zip": archive.Bytes(), version + ".mod": mod, version + ".info": info, "list": []byte(version + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	whole, err := dirhash.HashZip(filepath.Join(folder, version+".zip"), dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	alone, err := hashMod(mod)
	return []string{fmt.Sprintf("%s %s %s", m.path, version, whole), fmt.Sprintf("%s %s/go.mod %s", m.path, version, alone)}, err
}

// hashMod is the sum of a go.mod by itself.
func hashMod(text []byte) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	})
}
