package main

import (
	"context"
	"os/exec"

	"github.com/granary-go/granary/test/process"
)

// start runs a program and copies what it prints to the transcript. It dies with this program, and with the context.
func start(ctx context.Context, out *transcript, name, program string) (*process.Process, error) {
	p, err := process.Start(name, exec.CommandContext(ctx, program), func(l process.Line) { out.copy(name, l.Text) })
	if err == nil {
		out.sayf("%s started, process %d", name, p.ID())
	}
	return p, err
}
