package zk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
)

// defaultPort is ZooKeeper's for clients.
const defaultPort = "2181"

// hosts are the servers that a store may use. All its sessions share it, so that a server that does not answer is not
// tried first by the next.
type hosts struct {
	names []string

	mu   sync.Mutex // guards next
	next int
}

func newHosts(names []string) *hosts {
	return &hosts{names: names, next: rand.IntN(len(names))} // not everybody the same
}

// Len gives how many there are.
func (h *hosts) Len() int { return len(h.names) }

// take gives the next server.
func (h *hosts) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = (h.next + 1) % len(h.names)
	return h.names[h.next]
}

// rotation is a client's [zk.HostProvider]: names are resolved anew each time they are dialled, as addresses change.
type rotation struct{ client *client }

// Init implements [zk.HostProvider].
func (r rotation) Init([]string) error { return nil }

// Len implements [zk.HostProvider].
func (r rotation) Len() int { return r.client.hosts.Len() }

// Next implements [zk.HostProvider]. The library pauses and looks whether it is closed when it is told that all were
// tried; pauses are the dialer's.
func (r rotation) Next() (server string, all bool) {
	if all = r.client.ctx.Err() != nil; all {
		r.client.park.Do(func() { close(r.client.parked) })
	}
	return r.client.hosts.take(), all
}

// Connected implements [zk.HostProvider].
func (r rotation) Connected() {}

// parseServers reads servers as New takes them: one for each element, or a connection string, as host:port,host:port/chroot.
func parseServers(servers []string) (names []string, chroot string, err error) {
	for _, s := range servers {
		if strings.Contains(s, "@") {
			return nil, "", errors.New("zk: a server with a user in it: write host:port, and give credentials to WithAuth")
		}
		if strings.Contains(s, "://") {
			return nil, "", fmt.Errorf("zk: the server %q: write host:port, without a scheme; for TLS use WithDialer", s)
		}
		list, root, _ := strings.Cut(s, "/")
		if strings.Contains(root, ",") {
			return nil, "", fmt.Errorf("zk: the servers %q: the chroot is written once, behind the last of them", s)
		}
		if root = strings.Trim(root, "/"); root != "" {
			if root = "/" + root; chroot != "" && chroot != root {
				return nil, "", fmt.Errorf("zk: two chroots, %q and %q: all servers have the same", chroot, root)
			}
			chroot = root
		}
		for name := range strings.SplitSeq(list, ",") {
			if name, err = withPort(strings.TrimSpace(name)); err != nil {
				return nil, "", fmt.Errorf("zk: the server %q: %w; write host:port, for example 10.0.0.1:2181", s, err)
			}
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, "", errors.New("zk: there are no servers: give New at least one, for example 10.0.0.1:2181")
	}
	return names, chroot, nil
}

func withPort(name string) (string, error) {
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") || !strings.Contains(name, ":") || strings.Count(name, ":") > 1 && !strings.Contains(name, "]") {
		name = net.JoinHostPort(strings.Trim(name, "[]"), defaultPort)
	}
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		return "", err
	}
	if host == "" || strings.ContainsAny(host, " \t\"'") {
		return "", fmt.Errorf("%q is no host", host)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("%q is no port", port)
	}
	return name, nil
}
