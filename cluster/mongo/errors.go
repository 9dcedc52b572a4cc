package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// advice says what to do about an error that has this in its text, the first
// that fits.
var advice = []struct{ text, do string }{
	{"AuthenticationFailed", "the server does not know this user and password: check those of the client's options, and their authSource"},
	{"auth error", "the server does not know this user and password: check those of the client's options, and their authSource"},
	{"requires authentication", "the server wants a user: set Auth of the client's options"},
	{"Unauthorized", "the user may not do this: give it the role readWrite on the database"},
	{"not authorized", "the user may not do this: give it the role readWrite on the database"},
	{"NotWritablePrimary", "this is a secondary: give the name of the replica set, so that the primary is found"},
	{"not primary", "this is a secondary: give the name of the replica set, so that the primary is found"},
	{"connection refused", "nothing listens there: check that MongoDB runs, and the address"},
	{"no such host", "check the name in the address"},
	{"ReplicaSetNoPrimary", "the replica set has no primary: see rs.status()"},
	{"first record does not look like a TLS handshake", "the server does not use TLS: leave it away"},
	{"server selection", "no server that serves was found: check the address and that MongoDB runs"},
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
			return fmt.Errorf("mongo: %s: %s: %w", s.address, a.do, err)
		}
	}
	return fmt.Errorf("mongo: %s: %w", s.address, err)
}
