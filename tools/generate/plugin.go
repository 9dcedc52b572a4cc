package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// toolbox builds plugins when they are first asked for.
type toolbox struct {
	house string            // the root of the tree whose modules pin the plugins
	bin   string            // where the built plugins are
	have  map[string]string // plugin name to program
}

func (t *toolbox) program(ctx context.Context, p plugin) (string, error) {
	if program, ok := t.have[p.name]; ok {
		return program, nil
	}
	program := filepath.Join(t.bin, "protoc-gen-"+p.name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, p.pkg)
	cmd.Dir = filepath.Join(t.house, p.module)
	// The workspace would choose the highest versions over all modules; the pin is the module's own.
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build protoc-gen-%s in %s: %w\n%s", p.name, cmd.Dir, err, out)
	}
	t.have[p.name] = program
	return program, nil
}

// run hands one compiled file to a plugin and returns what the plugin writes, by slashed path below the root.
func (t *toolbox) run(ctx context.Context, p plugin, s source) (map[string]string, error) {
	program, err := t.program(ctx, p)
	if err != nil {
		return nil, err
	}
	// No compiler version is told: the generated header then says "(unknown)", whoever generates.
	request, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{s.file.GetName()},
		Parameter:      new("module=" + modulePath),
		ProtoFile:      s.all,
	})
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("protoc-gen-%s, %s: %w\n%s", p.name, s.file.GetName(), err, stderr.Bytes())
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(stdout.Bytes(), &response); err != nil {
		return nil, fmt.Errorf("protoc-gen-%s, %s: its answer: %w", p.name, s.file.GetName(), err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("protoc-gen-%s, %s: %w", p.name, s.file.GetName(), errors.New(response.GetError()))
	}
	outputs := map[string]string{}
	for _, file := range response.GetFile() {
		outputs[file.GetName()] = file.GetContent()
	}
	return outputs, nil
}
