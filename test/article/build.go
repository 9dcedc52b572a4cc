package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are the paths of the built example.
type programs struct{ member, client string }

const protoFile = "cluster/messages/protos.proto"

// build writes the example as a module into dir, generates its messages and grain, and builds its two programs
// against the tree at root.
func build(ctx context.Context, e example, root, dir string) (programs, error) {
	files := map[string]string{protoFile: e.proto, "member/main.go": e.member, "client/main.go": e.client}
	for name, text := range files {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return programs{}, err
		}
		if err := os.WriteFile(target, []byte(text), 0o644); err != nil {
			return programs{}, err
		}
	}
	if err := writeModule(ctx, e.module, root, dir); err != nil {
		return programs{}, err
	}
	if err := generate(ctx, e.module, root, dir); err != nil {
		return programs{}, err
	}
	p := programs{member: filepath.Join(dir, "bin", "member"), client: filepath.Join(dir, "bin", "client")}
	for program, pkg := range map[string]string{p.member: "./member", p.client: "./client"} {
		if err := run(goBuild(ctx, dir, program, pkg)); err != nil {
			return programs{}, err
		}
	}
	return p, nil
}

// writeModule makes dir a module that requires the core at root, and what the core requires, in its versions.
func writeModule(ctx context.Context, module, root, dir string) error {
	core := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	core.Dir = root
	text, err := core.Output()
	if err != nil {
		return fmt.Errorf("go mod edit -json in %s: %w", root, err)
	}
	var mod struct {
		Go      string `json:"Go"`
		Require []struct {
			Path    string `json:"Path"`
			Version string `json:"Version"`
		} `json:"Require"`
	}
	if err := json.Unmarshal(text, &mod); err != nil {
		return fmt.Errorf("go mod edit -json in %s: %w", root, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module %s\n\ngo %s\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, mod.Go, modulePath, modulePath, root)
	for _, r := range mod.Require {
		fmt.Fprintf(&b, "\nrequire %s %s\n", r.Path, r.Version)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(b.String()), 0o644)
}

// generate runs protoc with protoc-gen-go, as pinned for this tree, and the protoc-gen-go-grain of this tree.
// The article's .proto names no Go package, so the M option does.
func generate(ctx context.Context, module, root, dir string) error {
	bin := filepath.Join(dir, "bin")
	plugins := map[string]*exec.Cmd{
		"go":       goBuild(ctx, filepath.Join(root, "tools"), filepath.Join(bin, "protoc-gen-go"), "google.golang.org/protobuf/cmd/protoc-gen-go"),
		"go-grain": goBuild(ctx, root, filepath.Join(bin, "protoc-gen-go-grain"), "./cmd/protoc-gen-go-grain"),
	}
	args := []string{"-I", "."}
	for name, cmd := range plugins {
		if err := run(cmd); err != nil {
			return err
		}
		args = append(args,
			fmt.Sprintf("--plugin=protoc-gen-%s=%s", name, filepath.Join(bin, "protoc-gen-"+name)),
			fmt.Sprintf("--%s_out=.", name),
			fmt.Sprintf("--%s_opt=paths=source_relative,M%s=%s/cluster/messages", name, protoFile, module))
	}
	protoc := exec.CommandContext(ctx, "protoc", append(args, protoFile)...)
	protoc.Dir = dir
	return run(protoc)
}

// goBuild builds a program of the module at dir, by the versions of that module alone.
func goBuild(ctx context.Context, dir, program, pkg string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	return cmd
}

// run runs a command to its end; its error shows what it printed.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s, in %s: %w\n%s", strings.Join(cmd.Args, " "), cmd.Dir, err, out)
	}
	return nil
}
