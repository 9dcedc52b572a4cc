package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func firstThread() bool { return unix.Gettid() == unix.Getpid() }

// enterNamespace moves the calling thread to a network namespace of its own and makes a device there with the address.
// Whatever is sent through it is read from the file, whatever is written to the file arrives.
func enterNamespace(address netip.Prefix, mtu int) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	if err := configure(fd, address, mtu); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil // not before the device is there, or it cannot be polled
}

const device = "granary"

func configure(tun int, address netip.Prefix, mtu int) error {
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket in a network namespace: %w", err)
	}
	defer func() { _ = unix.Close(control) }()
	mask := ^uint32(0) << (32 - address.Bits())
	ip := address.Addr().As4()
	steps := []struct {
		what    string
		fd      int
		request uint
		device  string
		value   func(*unix.Ifreq) error
	}{
		{"make a TUN device", tun, unix.TUNSETIFF, device, uint16Of(unix.IFF_TUN | unix.IFF_NO_PI)},
		{"give it an address", control, unix.SIOCSIFADDR, device, inetOf(ip[:])},
		{"give it a network", control, unix.SIOCSIFNETMASK, device, inetOf([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)})},
		{"set its MTU", control, unix.SIOCSIFMTU, device, func(r *unix.Ifreq) error { r.SetUint32(uint32(mtu)); return nil }},
		{"switch it on", control, unix.SIOCSIFFLAGS, device, uint16Of(unix.IFF_UP | unix.IFF_RUNNING)},
		{"switch the loopback on", control, unix.SIOCSIFFLAGS, "lo", uint16Of(unix.IFF_UP | unix.IFF_RUNNING)},
	}
	for _, step := range steps {
		request, err := unix.NewIfreq(step.device)
		if err == nil {
			err = step.value(request)
		}
		if err == nil {
			err = unix.IoctlIfreq(step.fd, step.request, request)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

func uint16Of(flags uint16) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { r.SetUint16(flags); return nil }
}

func inetOf(address []byte) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { return r.SetInet4Addr(address) }
}

// openNamespace gives the calling thread's network namespace as a file.
func openNamespace() (*os.File, error) { return os.Open("/proc/thread-self/ns/net") }

// enterOpen moves the calling thread to a network namespace that was opened. It fails when the file is closed.
func enterOpen(namespace *os.File) error {
	conn, err := namespace.SyscallConn()
	if err != nil {
		return err
	}
	failed := conn.Control(func(fd uintptr) { err = unix.Setns(int(fd), unix.CLONE_NEWNET) })
	if err := errors.Join(failed, err); err != nil {
		return fmt.Errorf("network: enter a network namespace: %w", err)
	}
	return nil
}

// dieWithParent has the kernel kill the process when the thread that starts it is gone.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
}

// awaitEnd returns when a process of ours has ended, and leaves it to whoever waits for it.
func awaitEnd(p *os.Process) {
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return // it has ended, or was waited for
		}
	}
}
