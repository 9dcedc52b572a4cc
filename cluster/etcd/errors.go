package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster/driver"
)

// advice says what to do about an error that the server gave.
var advice = []struct {
	err error
	do  string
}{
	{rpctypes.ErrUserEmpty, "the server wants a user: set Username and Password of clientv3.Config, or a client certificate"},
	{rpctypes.ErrAuthFailed, "the server does not know this user and password: check Username and Password of clientv3.Config"},
	{rpctypes.ErrInvalidAuthToken, "the server has forgotten this user's token; the next call gets a new one"},
	{rpctypes.ErrNoSpace, "the server's database is full: compact and defragment it, then etcdctl alarm disarm"},
	{rpctypes.ErrRequestTooLarge, "the value is too large: the server's --max-request-bytes is the limit"},
	{rpctypes.ErrNoLeader, noMajority},
}

const noMajority = "the etcd cluster has lost its majority, or is choosing a leader: see etcdctl endpoint status --cluster"

// checkURLs is what to do where nothing better is known.
const checkURLs = "check that these are etcd's client URLs (port 2379 as a rule), that it runs, " +
	"and that both sides use TLS (https:// and TLS of clientv3.Config) or neither"

// connecting says what to do about a connection that fails with this in its text, the first that fits, and whether it
// may mend by itself.
var connecting = []struct {
	text, do string
	passes   bool
}{
	{"connection refused", "nothing listens there: check that etcd runs, and that these are its client URLs (port 2379 as a rule)", true},
	{"no such host", "check the names of the endpoints", true},
	{"remote error: tls: expired certificate", "the client certificate has expired: renew that of TLS in clientv3.Config", false},
	{"remote error: tls: unknown certificate authority", wantsCertificate, false},
	{"remote error: tls: certificate required", wantsCertificate, false},
	{"remote error: tls: bad certificate", wantsCertificate + ", and that has not expired", false},
	{"certificate signed by unknown authority", "RootCAs of TLS in clientv3.Config must hold the authority of the server's certificate", false},
	{"certificate has expired", "the server's certificate has expired, or this machine's clock is off", false},
	{"certificate is valid for", "the endpoints must use a name or an address that is in the server's certificate", false},
	{"doesn't contain any IP SANs", "the endpoints must use a name that is in the server's certificate", false},
	{"first record does not look like a TLS handshake", wantsPlain, true},
	{"handshake failed: EOF", wantsPlain, true},
	{"server preface", "if the server uses TLS write https://, and set TLS of clientv3.Config", true},
}

const (
	wantsCertificate = "the server wants another client certificate: set Certificates of TLS in clientv3.Config to one that its " +
		"--trusted-ca-file has signed"
	wantsPlain = "the server does not seem to use TLS: write http://, and leave TLS of clientv3.Config away"
)

// mayPass makes an error of the servers that they have no leader, begin or end, or that the connection to one has ended,
// a [driver.ErrUnavailable].
func mayPass(err error) error {
	var said rpctypes.EtcdError
	if errors.As(err, &said) && said.Code() == codes.Unavailable || status.Code(err) == codes.Unavailable || waitedInVain(err) {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return err
}

// waitedInVain tells how servers up to 3.4 say that the others have not answered them within the time of the call.
func waitedInVain(err error) bool {
	said, ok := status.FromError(err) // which a deadline of the client's own is not
	return ok && said.Code() == codes.Unknown && strings.Contains(said.Message(), context.DeadlineExceeded.Error())
}

// explainCall is explain for a call of a client. The TLS is the client's, or nil.
func explainCall(ctx context.Context, client *clientv3.Client, c *tls.Config, prefix string, err error) error {
	return explain(ctx, err, client.Endpoints(), prefix, func() error { return failing(client, c) })
}

// explain adds to an error of the client what to do about it, and why the endpoints cannot be reached, which failing may
// know. What a context has ended stays recognisable as that, unless a certificate is to blame, which no waiting mends.
func explain(ctx context.Context, err error, endpoints []string, prefix string, failing func() error) error {
	if err == nil {
		return nil
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return fmt.Errorf("%w: %s", err, a.do)
		}
	}
	if waitedInVain(err) {
		return fmt.Errorf("%w: %s", err, noMajority)
	}
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return fmt.Errorf("%w: the user's role needs to read and write %s: etcdctl role grant-permission ROLE --prefix=true readwrite %s",
			err, prefix, prefix)
	}
	unreachable := status.Code(err) == codes.Unavailable || errors.Is(err, context.DeadlineExceeded)
	if !unreachable || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	at := strings.Join(shown(endpoints), ", ")
	why := failing()
	if why == nil {
		return fmt.Errorf("no answer from %s: %w: %s", at, err, checkURLs)
	}
	do := checkURLs
	for _, c := range connecting {
		if strings.Contains(why.Error(), c.text) {
			if do = c.do; !c.passes {
				return fmt.Errorf("no answer from %s: %w: %s", at, why, do)
			}
			break
		}
	}
	if status.Code(err) == codes.Unavailable {
		return fmt.Errorf("no answer from %s: %w: %s", at, err, do) // it says why itself
	}
	return fmt.Errorf("no answer from %s: %w (%w): %s", at, err, why, do)
}
