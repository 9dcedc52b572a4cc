package network

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const clockLimit = 10 * time.Second // for unshare to show that it can

// InTime changes a command that was not started yet so that its clocks are ahead of this machine's, or behind it, by a
// number of whole seconds: those that count from the start of the machine, CLOCK_MONOTONIC and CLOCK_BOOTTIME, which Go
// measures durations by. An offset that stays the same is to change nothing for a program that does not compare its clock
// with that of another; the wall clock is the machine's in any case.
//
// The command runs in a time namespace, by the program unshare of util-linux, under the process number that it would have
// had. Where that cannot be had InTime fails, and leaves the command as it was. It needs root.
func InTime(cmd *exec.Cmd, offset time.Duration) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	if offset%time.Second != 0 {
		return fmt.Errorf("network: a clock offset of %s: it is whole seconds", offset)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return fmt.Errorf("network: no time namespaces without the program unshare: %w", err)
	}
	seconds := strconv.FormatInt(int64(offset/time.Second), 10)
	args := []string{unshare, "--time", "--monotonic", seconds, "--boottime", seconds, "--"}
	ctx, cancel := context.WithTimeout(context.Background(), clockLimit)
	defer cancel()
	probe := exec.CommandContext(ctx, unshare, append(args[1:], "true")...)
	if output, err := probe.CombinedOutput(); err != nil {
		return fmt.Errorf("network: a clock offset of %s cannot be had here: %w: %s", offset, err, strings.TrimSpace(string(output)))
	}
	cmd.Args = append(append(args, cmd.Path), cmd.Args[min(1, len(cmd.Args)):]...)
	cmd.Path = unshare
	return nil
}
