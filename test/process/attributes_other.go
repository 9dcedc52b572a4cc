//go:build !linux

package process

import "syscall"

// attributes are the default ones: elsewhere a process ends with its parent only if the parent kills it.
func attributes() *syscall.SysProcAttr { return nil }
