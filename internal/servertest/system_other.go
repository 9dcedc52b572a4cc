//go:build unix && !linux

package servertest

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }

func awaitStop(int) error { return nil }
