package automanaged

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// checkHost checks one entry of the list of hosts.
func checkHost(entry string) error {
	host, port, err := net.SplitHostPort(entry)
	if err != nil || host == "" {
		return fmt.Errorf("%q is not host:port, as in \"localhost:6330\"", entry)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q has the port %q; it must be from 1 to 65535", entry, port)
	}
	if strings.ContainsAny(host, " \t\r\n/") {
		return fmt.Errorf("%q is not host:port: it has a blank or a slash in its host", entry)
	}
	return nil
}

// addresses looks up an entry of the list.
func (c config) addresses(ctx context.Context, entry string) ([]string, error) {
	host, port, err := net.SplitHostPort(entry)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) != nil {
		return []string{entry}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	found, err := c.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	addresses := make([]string, 0, len(found))
	for _, a := range found {
		address := net.JoinHostPort(a, port)
		if c.names != nil {
			c.names.Store(address, host)
		}
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), nil
}

// resolve looks up every host of the list, side by side, and gives what comes
// out to found: no addresses if the look-up failed.
func (c config) resolve(ctx context.Context, found func(entry string, addresses []string)) {
	var wg sync.WaitGroup
	for _, entry := range c.hosts {
		wg.Go(func() {
			addresses, err := c.addresses(ctx, entry)
			if err == nil || !errors.Is(ctx.Err(), context.Canceled) {
				found(entry, addresses)
			}
		})
	}
	wg.Wait()
}

// keepResolving looks up the hosts until the context is done: names may get
// other addresses. That is at the pace of pings as long as somebody is sought,
// and rarely else.
func (c config) keepResolving(ctx context.Context, seeks func() bool, found func(entry string, addresses []string)) {
	for pause := min(quickest, c.refresh); ; pause = min(2*pause, max(10*c.refresh, quickest)) {
		c.resolve(ctx, found)
		for passed := time.Duration(0); passed < pause && (passed == 0 || !seeks()); {
			step := min(pause, c.timeout())
			select {
			case <-ctx.Done():
				return
			case <-time.After(step):
				passed += step
			}
		}
	}
}

// pingAddress gives the address by which others ping this process.
func (c config) pingAddress(memberAddress string, bound net.Addr) (string, error) {
	_, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", fmt.Errorf("automanaged: the listener's address %q has no port: %w", bound, err)
	}
	host, _, err := net.SplitHostPort(memberAddress)
	if err != nil {
		return "", fmt.Errorf("automanaged: the member's address %q is not host:port: %w", memberAddress, err)
	}
	if c.advertised != "" {
		host = c.advertised
		if h, p, err := net.SplitHostPort(c.advertised); err == nil {
			host, port = h, p
		}
	}
	return net.JoinHostPort(host, port), nil
}
