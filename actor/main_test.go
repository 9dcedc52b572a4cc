package actor_test

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if code == 0 && leaked(before) {
		fmt.Fprintln(os.Stderr, "goroutines were left behind:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// leaked gives goroutines that are about to end five seconds to do so.
func leaked(before int) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return false
		}
		<-tick.C
	}
	return true
}
