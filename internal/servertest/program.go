package servertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Variable names the environment variable with the folder of the servers that tools/servers compiles, as `make test-all`
// sets it.
const Variable = "GRANARY_TEST_SERVERS"

// Need skips a test where servers were not compiled, and says what it needs.
func Need(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(Variable) == "" {
		t.Skipf("needs %s, which `make test-all` builds", what)
	}
}

// Built gives the path of a server that tools/servers compiles.
func Built(name string) (string, error) {
	path, err := exec.LookPath(filepath.Join(os.Getenv(Variable), name))
	if err != nil {
		return "", fmt.Errorf("servertest: %w: run `go run ./tools/servers %s`, and set %s as it says", err, name, Variable)
	}
	return path, nil
}

// pollPause is the time between two tries.
const pollPause = 20 * time.Millisecond

// Poll tries until that succeeds or the context ends, at least once. Its error is that of the last try, with why the
// context ended.
func Poll(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
