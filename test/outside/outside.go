package outside

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// corePath is the module that is required.
const corePath = "github.com/granary-go/granary"

// Module makes dir a module that requires the core at root, and what the core requires, in its versions.
func Module(ctx context.Context, module, root, dir string) error {
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
	fmt.Fprintf(&b, "module %s\n\ngo %s\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, mod.Go, corePath, corePath, root)
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

// Generate runs protoc with protoc-gen-go, as pinned for the tree at root, and the protoc-gen-go-grain of that tree, for
// a .proto file of the module at dir. The Go package is that of its folder, whatever the file says. It builds into dir/bin.
func Generate(ctx context.Context, module, root, dir, proto string) error {
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
			fmt.Sprintf("--%s_opt=paths=source_relative,M%s=%s", name, proto, path.Join(module, path.Dir(proto))))
	}
	protoc := exec.CommandContext(ctx, "protoc", append(args, proto)...)
	protoc.Dir = dir
	return run(protoc)
}

// Build builds the program of a package of the module at dir, and returns its path, in dir/bin.
func Build(ctx context.Context, dir, pkg string) (program string, err error) {
	program = filepath.Join(dir, "bin", filepath.Base(pkg))
	return program, run(goBuild(ctx, dir, program, pkg))
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
