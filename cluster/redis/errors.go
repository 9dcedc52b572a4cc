package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// advice says what to do about an error that has this in its text, the first
// that fits.
var advice = []struct{ text, do string }{
	{"NOAUTH", "the server wants a password: set Username and Password of UniversalOptions"},
	{"WRONGPASS", "the server does not know this user and password: check Username and Password of UniversalOptions"},
	{"NOPERM", "the user may not do this: package redis's documentation lists the keys and commands that it needs"},
	{"OOM ", "the server's memory is full: raise maxmemory, or delete what others keep there"},
	{"READONLY", "this is a replica: give the master's address, or those of Sentinel and MasterName"},
	{"MISCONF", "the server cannot write to its disk, and refuses writes"},
	{"CLUSTERDOWN", "a part of the Redis Cluster has no master: see redis-cli cluster nodes"},
	{"CROSSSLOT", "a proxy that does not know hash tags is between: connect to the servers themselves"},
	{"MOVED", "this server is one of a Redis Cluster: set IsClusterMode of UniversalOptions"},
	{"unknown command", "Redis 5 or newer is needed, with scripts"},
	{"connection refused", "nothing listens there: check that Redis runs, and the address"},
	{"no such host", "check the name in the address"},
	{"first record does not look like a TLS handshake", "the server does not use TLS: leave TLSConfig away"},
	{"malformed HTTP", "that is no Redis"},
}

// explain makes an error of a call one that says where it happened and what to
// do.
func (s *store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	for _, a := range advice {
		if strings.Contains(err.Error(), a.text) {
			return fmt.Errorf("redis: %s: %s: %w", s.address, a.do, err)
		}
	}
	return fmt.Errorf("redis: %s: %w", s.address, err)
}
