//go:build !linux

package demo

import "syscall"

// attributes are the default ones: the process notices the end of its input
// when its parent is gone, and ignores a Ctrl-C by itself.
func attributes() *syscall.SysProcAttr { return nil }
