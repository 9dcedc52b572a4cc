package process

import "syscall"

// attributes has the kernel kill the process when its parent is gone. The kernel takes the parent's thread for the
// parent; Go ends a thread only when a goroutine locked it, which no caller does. In a group of its own, an interrupt
// at the terminal is the parent's to hand on.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
