package etcd

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/membertest"
)

// authorize gives a server users, and wants one of everybody from then on: member may read and write the prefix,
// reader may only read it, and neighbour has another. The client is that of the administrator.
func authorize(t *testing.T, server *etcdtest.Server) *clientv3.Client {
	t.Helper()
	anyone, ctx := server.Client(t), within(t)
	end := clientv3.GetPrefixRangeEnd(DefaultPrefix + "/")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(anyone.RoleAdd(ctx, "root"))
	for _, role := range []struct {
		name, key, end string
		kind           clientv3.PermissionType
	}{
		{"member", DefaultPrefix + "/", end, clientv3.PermissionType(clientv3.PermReadWrite)},
		{"reader", DefaultPrefix + "/", end, clientv3.PermissionType(clientv3.PermRead)},
		{"neighbour", "/elsewhere/", clientv3.GetPrefixRangeEnd("/elsewhere/"), clientv3.PermissionType(clientv3.PermReadWrite)},
	} {
		must(anyone.RoleAdd(ctx, role.name))
		must(anyone.RoleGrantPermission(ctx, role.name, role.key, role.end, role.kind))
	}
	for _, user := range []string{"root", "member", "reader", "neighbour"} {
		must(anyone.UserAdd(ctx, user, password))
		must(anyone.UserGrantRole(ctx, user, user))
	}
	must(anyone.AuthEnable(ctx))
	admin, err := dial(ctx, asUser(server, "root"))
	must(nil, err)
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

func asUser(server *etcdtest.Server, name string) clientv3.Config {
	c := server.Config()
	c.Username, c.Password = name, password
	return c
}

func TestUsers(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t)
		authorize(t, server)
		wrong := asUser(server, "member")
		wrong.Password = "guessed"
		for name, c := range map[string]struct {
			config clientv3.Config
			want   []string // parts of the error; none where the member joins
		}{
			"right":                   {asUser(server, "member"), nil},
			"nobody":                  {server.Config(), []string{"the server wants a user"}},
			"wrong password":          {wrong, []string{"check Username and Password"}},
			"unknown":                 {asUser(server, "stranger"), []string{"check Username and Password"}},
			"may only read":           {asUser(server, "reader"), []string{"permission denied", "grant-permission ROLE --prefix=true readwrite /granary/"}},
			"may nothing here":        {asUser(server, "neighbour"), []string{"permission denied", "grant-permission ROLE --prefix=true readwrite /granary/"}},
			"may everything, as root": {asUser(server, "root"), nil},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				err := tryToJoin(t, c.config)
				if len(c.want) == 0 && err != nil {
					t.Error(err)
				}
				for _, part := range append(c.want, server.Endpoint)[:len(c.want)] {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("Join: %v; want an error with %q", err, part)
					}
				}
			})
		}
	})
}

// rejections counts the tokens that a server does not know any more.
func rejections(n *atomic.Int64) grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := call(ctx, method, req, reply, cc, opts...)
		if method != authenticate && errors.Is(rpctypes.Error(err), rpctypes.ErrInvalidAuthToken) {
			n.Add(1)
		}
		return err
	})
}

// A member gets over tokens that run out, a server that has forgotten all of them, and users that change.
func TestTokensThatAreForgotten(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t, "--auth-token-ttl", "1")
		admin := authorize(t, server)
		rejected, log := new(atomic.Int64), new(journal)
		c := asUser(server, "member")
		c.DialOptions = append(c.DialOptions, rejections(rejected))
		r := membertest.Request("member", "127.0.0.1:1")
		r.Logger = log.Logger()
		session, err := New(c, WithTTL(9*time.Second)).Join(within(t), r) // it renews after 3 s
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		p := &membertest.Process{ID: "member", Session: session}
		p.Holds(t, p)
		for step, trouble := range []func(){
			func() {},
			func() { server.Restart(t) },
			func() {
				if _, err := admin.UserChangePassword(within(t), "reader", password+"2"); err != nil {
					t.Fatal(err)
				}
			},
		} {
			before := rejected.Load()
			trouble()
			for ticker, ctx := time.NewTicker(10*time.Millisecond), within(t); rejected.Load() == before; {
				select {
				case <-ticker.C:
				case <-ctx.Done():
					t.Fatalf("step %d: %d tokens were refused", step, rejected.Load()-before)
				}
			}
			if phase := session.Lease().Phase(); phase != driver.LeaseValid {
				t.Errorf("step %d: the lease is %v", step, phase)
			}
		}
		log.keepsSecrets(t, nil)
	})
}

// A member whose right is taken away is told so, and ends; when it is given back it joins again.
func TestRightTakenAway(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t)
		admin, ctx := authorize(t, server), within(t)
		p := &membertest.Process{Provider: New(asUser(server, "member"), WithTTL(leaseTime)), Request: membertest.Request("", "127.0.0.1:1")}
		if err := p.Join(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() { p.Session.Close() }()
		p.Holds(t, p)
		end := clientv3.GetPrefixRangeEnd(DefaultPrefix + "/")
		if _, err := admin.RoleRevokePermission(ctx, "member", DefaultPrefix+"/", end); err != nil {
			t.Fatal(err)
		}
		told := false
		for !told {
			_, err := p.Session.Watch(ctx, p.Seen.Epoch)
			told = err != nil && strings.Contains(err.Error(), "grant-permission")
			if ctx.Err() != nil {
				t.Fatalf("Watch: %v; want an error with what to grant", err)
			}
		}
		membertest.Doubted(t, p)
		if _, err := admin.RoleGrantPermission(ctx, "member", DefaultPrefix+"/", end, clientv3.PermissionType(clientv3.PermReadWrite)); err != nil {
			t.Fatal(err)
		}
		membertest.Again(t, p)
	})
}
