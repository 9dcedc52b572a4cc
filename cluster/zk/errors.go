package zk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
)

// advice says what to do about an error that the server, or the library, gave.
var advice = []struct {
	err error
	do  string
}{
	{zk.ErrAuthFailed, "the server refuses the credentials, or does not know their scheme: check those of WithAuth"},
	{zk.ErrInvalidACL, "the server knows no user of these credentials, so that nodes cannot be kept for it: check the scheme of WithAuth"},
	{zk.ErrConnectionClosed, "the connection was lost before the answer; if that goes on, look at the server's log"},
}

// mayPass reports whether a connection has ended, as those to servers do that begin, end, or lose their leader. Whether
// no answer came package record sees for itself.
func mayPass(err error) bool {
	for _, ended := range []error{zk.ErrConnectionClosed, errEnded, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, ended) {
			return true
		}
	}
	return false
}

// explain says what failed, and what to do about it. What a context has ended stays recognisable as that.
func (s *store) explain(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if mayPass(err) {
		err = fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	if errors.Is(err, zk.ErrNoAuth) {
		return fmt.Errorf("zk: %s: %w: the node %s, or one above it, is kept for others: give WithAuth the credentials it was made with, "+
			"or give these the right to read, write, create and delete there (getAcl and setAcl of zkCli.sh)", what, err, s.base)
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return fmt.Errorf("zk: %s: %w: %s", what, err, a.do)
		}
	}
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("zk: %s: %w", what, err)
	}
	return fmt.Errorf("zk: %s: %w: check that %s are ZooKeeper's client ports (2181 as a rule), that a majority of the servers "+
		"runs, and that both sides use TLS (WithDialer) or neither", what, err, strings.Join(s.hosts.names, ", "))
}
