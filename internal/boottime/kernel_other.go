//go:build !linux

package boottime

import "time"

func kernel() (time.Duration, bool) { return 0, false }
