package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/granary-go/granary/test/outside"
)

// programs are the paths of the built example.
type programs struct{ member, client string }

// protoFile is where the article's messages are. The article names no Go package, which is then that of the folder.
const protoFile = "cluster/messages/protos.proto"

// build writes the example as a module into dir, generates its messages and grain, and builds its two programs
// against the tree at root.
func build(ctx context.Context, e example, root, dir string) (p programs, err error) {
	files := map[string]string{protoFile: e.proto, "member/main.go": e.member, "client/main.go": e.client}
	for name, text := range files {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return p, err
		}
		if err := os.WriteFile(target, []byte(text), 0o644); err != nil {
			return p, err
		}
	}
	if err := outside.Module(ctx, e.module, root, dir); err != nil {
		return p, err
	}
	if err := outside.Generate(ctx, e.module, root, dir, protoFile); err != nil {
		return p, err
	}
	if p.member, err = outside.Build(ctx, dir, "./member"); err == nil {
		p.client, err = outside.Build(ctx, dir, "./client")
	}
	return p, err
}
