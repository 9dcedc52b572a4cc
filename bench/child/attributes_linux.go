package child

import "syscall"

// attributes has the kernel kill the process when its parent is gone, should it not notice the end of its input.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
