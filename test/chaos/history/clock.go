package history

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Never is the end of what has not ended.
const Never = time.Duration(math.MaxInt64)

// now reads CLOCK_MONOTONIC as this process sees it.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("history: the machine has no CLOCK_MONOTONIC: " + err.Error())
	}
	return time.Duration(t.Nano())
}

// Offset returns by how much the time namespace of this process shifts CLOCK_MONOTONIC: what this process reads, less the
// offset, is what the others read. It is zero outside of time namespaces, and on kernels without them.
//
// The kernel tells the offsets of the namespace that children are born into. It fails in a process that has made a new one
// and has not entered it; give the offset by [WithOffset] there.
func Offset() (time.Duration, error) {
	const file = "/proc/self/timens_offsets"
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("history: %w", err)
	}
	own, _ := os.Readlink("/proc/self/ns/time")
	if children, _ := os.Readlink("/proc/self/ns/time_for_children"); own != children {
		return 0, fmt.Errorf("history: this process is in %s and its children will be in %s: give the offset of its clock by WithOffset", own, children)
	}
	return parseOffset(string(text))
}

// parseOffset reads lines of a clock's name, seconds and nanoseconds.
func parseOffset(text string) (time.Duration, error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "monotonic" {
			continue
		}
		if len(f) == 3 {
			seconds, err1 := strconv.ParseInt(f[1], 10, 32)
			nanos, err2 := strconv.ParseInt(f[2], 10, 32)
			if err1 == nil && err2 == nil {
				return time.Duration(seconds)*time.Second + time.Duration(nanos), nil
			}
		}
		return 0, fmt.Errorf("history: cannot read the offset of a time namespace: %q", line)
	}
	return 0, nil
}
