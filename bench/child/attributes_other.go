//go:build !linux

package child

import "syscall"

// attributes are the default ones: the process notices the end of its input.
func attributes() *syscall.SysProcAttr { return nil }
