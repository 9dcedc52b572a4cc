package servertest

import (
	"errors"
	"syscall"
)

// attributes has the kernel kill a server when the test program is gone, for example when it ran out of time.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// awaitStop waits until all threads of a child that was sent SIGSTOP have stopped. Until then some of them work on.
func awaitStop(pid int) error {
	const byID = 1 // P_PID
	for {
		// It looks, and leaves the child to whoever waits for its end.
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byID, uintptr(pid), 0, syscall.WSTOPPED|syscall.WNOWAIT, 0, 0)
		switch {
		case errno == 0:
			return nil
		case !errors.Is(errno, syscall.EINTR):
			return errno
		}
	}
}
