package demo

import "syscall"

// attributes has the kernel kill the process when its parent is gone, should
// it not notice the end of its input. The kernel takes the parent's thread for
// the parent; Go ends a thread only when a goroutine locked it, and none does.
//
// It has a process group of its own: a Ctrl-C is for the parent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
