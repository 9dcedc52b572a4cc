package remote

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxAddress bounds the length of an address, in bytes.
const maxAddress = 512

// checkAddress says what is wrong with the address of a process, which is a
// host and a port.
func checkAddress(address string) error {
	if len(address) > maxAddress {
		return fmt.Errorf("an address has at most %d bytes, this one %d", maxAddress, len(address))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if err := checkHost(host); err != nil {
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q: the port is a number from 1 to 65535", address)
	}
	return nil
}

// checkHost says what is wrong with a name or IP address to reach a host by.
func checkHost(host string) error {
	switch ip := net.ParseIP(host); {
	case host == "":
		return errors.New("the host is empty")
	case ip != nil && ip.IsUnspecified():
		return fmt.Errorf("%q stands for every interface and cannot be reached", host)
	case ip == nil && (strings.ContainsFunc(host, notInHost) || !utf8.ValidString(host)):
		return fmt.Errorf("%q is neither a host name nor an IP address", host)
	}
	return nil
}

func notInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@?#[]"'<>:`, r)
}

func isWildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// checkAddresses says what is wrong with where the remote is to listen and what
// it is to be called.
func (c *Config) checkAddresses() error {
	if c.port < 0 || c.port > 65535 {
		return fmt.Errorf("%w: port %d: a port is a number from 0 to 65535", ErrBadConfig, c.port)
	}
	if c.advertised == "" {
		if isWildcard(c.host) {
			return fmt.Errorf("%w: host %q stands for every interface; say with WithAdvertisedHost where others reach this process", ErrBadConfig, c.host)
		}
	} else if _, _, err := splitAdvertised(c.advertised); err != nil {
		return fmt.Errorf("%w: WithAdvertisedHost(%q): give a host, or host:port: %w", ErrBadConfig, c.advertised, err)
	}
	if !isWildcard(c.host) {
		if err := checkHost(c.host); err != nil {
			return fmt.Errorf("%w: %w", ErrBadConfig, err)
		}
	}
	return nil
}

// splitAdvertised returns the host and the port of what WithAdvertisedHost was
// given. The port is "" if it is to be the one listened on.
func splitAdvertised(advertised string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(advertised)
	if err != nil {
		host, port = strings.Trim(advertised, "[]"), "0"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", fmt.Errorf("%q is no port", port)
	} else if n == 0 {
		port = ""
	}
	return host, port, checkHost(host)
}

// address returns what this process is called, given what it listens on.
func (c *Config) address(listening net.Addr) string {
	host, port := c.host, strconv.Itoa(c.port)
	if c.port == 0 {
		if _, p, err := net.SplitHostPort(listening.String()); err == nil {
			port = p
		}
	}
	if c.advertised != "" {
		h, p, _ := splitAdvertised(c.advertised) // Start has checked it
		host = h
		if p != "" {
			port = p
		}
	}
	return net.JoinHostPort(host, port)
}
