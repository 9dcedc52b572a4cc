package etcd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/membertest"
)

// password is that of every user, and must be told nobody.
const password = "it-is-a-secret"

// journal is what a member logs.
type journal struct{ membertest.Journal }

// keepsSecrets checks that neither the error nor the log tells the password.
func (j *journal) keepsSecrets(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), password) {
		t.Errorf("the error tells the password: %v", err)
	}
	if strings.Contains(j.String(), password) {
		t.Errorf("the log tells the password:\n%s", j)
	}
}

// tryToJoin joins as a member that leaves at once, with a lease time that lets a call take a second.
func tryToJoin(t *testing.T, c clientv3.Config) error {
	t.Helper()
	ctx := within(t)
	var log journal
	r := membertest.Request(driver.MemberID(rand.Text()), "127.0.0.1:1")
	r.Cluster, r.Logger = t.Name(), log.Logger()
	session, err := New(c, WithTTL(3*time.Second)).Join(ctx, r)
	if err == nil {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
	if ctx.Err() != nil {
		t.Errorf("Join took all of %v", membertest.Patience)
	}
	log.keepsSecrets(t, err)
	return err
}

func TestEndpointsThatCannotWork(t *testing.T) {
	t.Parallel()
	plain := etcdtest.Start(t)
	for name, c := range map[string]struct {
		config clientv3.Config
		want   string
	}{
		"none":             {clientv3.Config{}, "there are no endpoints"},
		"empty":            {clientv3.Config{Endpoints: []string{""}}, "is empty"},
		"no port":          {clientv3.Config{Endpoints: []string{"http://127.0.0.1"}}, "http://127.0.0.1 is not a host and a port"},
		"nonsense":         {clientv3.Config{Endpoints: []string{"http://[::1:2379"}}, "is not a host and a port"},
		"another protocol": {clientv3.Config{Endpoints: []string{"tcp://127.0.0.1:2379"}}, "must be http:// or https://"},
		"with a password":  {clientv3.Config{Endpoints: []string{"http://member:" + password + "@127.0.0.1:2379"}}, "http://…@127.0.0.1:2379 holds a user"},
		"TLS in the open":  {clientv3.Config{Endpoints: []string{plain.Endpoint}, TLS: &tls.Config{}}, "write https:// for it"},
		"no password":      {clientv3.Config{Endpoints: []string{plain.Endpoint}, Username: "member"}, "has no password"},
		"wrong port":       {clientv3.Config{Endpoints: []string{"http://127.0.0.1:1"}}, "connection refused\"): nothing listens there"},
		"wrong port, user": {clientv3.Config{Endpoints: []string{"http://127.0.0.1:1"}, Username: "member", Password: password}, "nothing listens there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tryToJoin(t, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Join: %v; want an error with %q", err, c.want)
			}
		})
	}
	for _, good := range []string{plain.Endpoint, strings.TrimPrefix(plain.Endpoint, "http://"), plain.Endpoint + "/"} {
		if err := tryToJoin(t, clientv3.Config{Endpoints: []string{good}}); err != nil {
			t.Errorf("the endpoint %s: %v", good, err)
		}
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://member:" + password + "@127.0.0.1:2379"}, Logger: plain.Config().Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = NewWithClient(client).Join(within(t), membertest.Request("a", "127.0.0.1:1"))
	if err == nil || !strings.Contains(err.Error(), "holds a user") || strings.Contains(err.Error(), password) {
		t.Errorf("Join with the caller's client: %v; want an error, without the password", err)
	}
}

// The cluster's Start waits for servers that have no leader, begin or end, and for nothing that is not mended by that.
func TestWhatMayPass(t *testing.T) {
	t.Parallel()
	s := &store{client: etcdtest.Start(t).Client(t), prefix: "/granary/test/"}
	for _, c := range []struct {
		err  error
		want string // part of the text; empty for what does not pass
	}{
		{rpctypes.ErrNoLeader, "endpoint status"},
		{rpctypes.ErrTimeout, "request timed out"},
		{rpctypes.ErrStopped, "server stopped"},
		{status.Error(codes.Unknown, "context deadline exceeded"), "endpoint status"}, // 3.4, when the majority stops
		{status.Error(codes.Unavailable, "error reading from server: EOF"), "no answer from"},
		{status.Error(codes.Unknown, "nonsense"), ""},
		{rpctypes.ErrPermissionDenied, ""},
		{rpctypes.ErrAuthFailed, ""},
		{rpctypes.ErrNoSpace, ""},
		{context.Canceled, ""},
	} {
		err := s.explain(within(t), "get a lease", c.err)
		if errors.Is(err, driver.ErrUnavailable) != (c.want != "") || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.err) {
			t.Errorf("%v: %v; want %q in it, if it passes", c.err, err, c.want)
		}
	}
}
