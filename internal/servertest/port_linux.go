package servertest

import (
	"errors"
	"sync"
	"syscall"
)

// hold binds a socket to a port, if nobody has it, and lets servers listen there.
func hold(port int) (release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(func() { _ = syscall.Close(fd) })
	// In this order. A socket that asks for reuse first may share the port with another that holds it. One that asks
	// afterwards is alone, and shares with those who ask for reuse and listen, as servers do.
	err = errors.Join(
		syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}
