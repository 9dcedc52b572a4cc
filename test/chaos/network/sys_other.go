//go:build !linux

package network

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
)

func firstThread() bool { return false }

var errNotLinux = errors.New("network namespaces are there on Linux only")

func enterNamespace(netip.Prefix, int) (*os.File, error) { return nil, errNotLinux }

func openNamespace() (*os.File, error) { return nil, errNotLinux }

func enterOpen(*os.File) error { return errNotLinux }

// dieWithParent does nothing: elsewhere a process ends with its parent only if the parent kills it.
func dieWithParent(*exec.Cmd) {}

// awaitEnd does nothing: elsewhere only whoever waits for a process sees its end.
func awaitEnd(*os.Process) {}
