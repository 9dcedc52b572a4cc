package k8stest

import "syscall"

// attributes has the kernel kill a server when the test program is gone, for example when it ran out of time.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
