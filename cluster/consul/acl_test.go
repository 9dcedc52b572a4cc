package consul

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

// The policies that the documentation of the package names.
const (
	membersPolicy = `
		key_prefix "granary/test/" { policy = "write" }
		session    "granary-test"  { policy = "write" }
		node       "granary-test"  { policy = "write" }`
	servicePolicy  = `service "granary-test" { policy = "write" }`
	observerPolicy = `key_prefix "granary/test/" { policy = "read" }`
)

// grant makes a token with a policy.
func grant(t *testing.T, admin *api.Client, name, rules string) string {
	t.Helper()
	if _, _, err := admin.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil); err != nil {
		t.Fatal(err)
	}
	token, _, err := admin.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{Name: name}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.SecretID
}

const managementToken = "0f7e5d3c-1b2a-4c6d-8e9f-a1b2c3d4e5f6"

func TestPermissions(t *testing.T) {
	t.Parallel()
	server := consultest.StartWithToken(t, managementToken)
	admin := server.Client(t)
	with := func(token string) api.Config {
		c := server.Config()
		c.Token = token
		return c
	}
	for _, c := range []struct {
		name, rules   string // of the token that is made; none for the one given
		token         string
		join, observe string // what the error says; "" is success
	}{
		{name: "nobody", join: `key_prefix "granary/test/" { policy = "write" }`, observe: "set Token"},
		{name: "unknown", token: "1f7e5d3c-1b2a-4c6d-8e9f-a1b2c3d4e5f6", join: "do not know this ACL token", observe: "do not know this ACL token"},
		{name: "nonsense", token: secret, join: "do not know this ACL token", observe: "do not know this ACL token"},
		{name: "management", token: managementToken},
		{name: "other-keys", rules: `key_prefix "granary/other/" { policy = "write" }`, join: "set Token", observe: "set Token"},
		{name: "no-session", rules: `key_prefix "granary/test/" { policy = "write" }`, join: `session "granary-test"`},
		{name: "keys-to-read", rules: observerPolicy + ` session "granary-test" { policy = "write" }`, join: "lacks permission 'key:write'"},
		{name: "a-member", rules: membersPolicy + servicePolicy},
		{name: "an-observer", rules: observerPolicy, join: "set Token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := c.token
			if c.rules != "" {
				token = grant(t, admin, c.name, c.rules)
			}
			for call, want := range map[string]string{"Join": c.join, "Observe": c.observe} {
				var log membertest.Journal
				r := membertest.Request(driver.MemberID("by-"+c.name), "127.0.0.1:1")
				r.Logger = log.Logger()
				p := New(with(token), WithTTL(3*time.Second))
				open := p.Join
				if call == "Observe" {
					open = p.Observe
				}
				session, err := open(within(t), r)
				if err == nil {
					err = session.Close()
				}
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("%s: %v; want %q", call, err, want)
				}
				if errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("%s: %v; it does not pass by waiting", call, err)
				}
				if text := fmt.Sprint(err, log.String()); token != "" && strings.Contains(text, token) {
					t.Errorf("the token is told: %s", text)
				}
			}
		})
	}
}

// A token with just what the documentation names does all that a member does, and an agent that refuses the service does
// not stop it.
func TestMembersWithoutService(t *testing.T) {
	t.Parallel()
	server := consultest.StartWithToken(t, managementToken)
	admin := server.Client(t)
	config := server.Config()
	config.Token = grant(t, admin, "members", membersPolicy)
	var log membertest.Journal
	r := membertest.Request("a", "127.0.0.1:1")
	r.Logger = log.Logger()
	first := join(t, New(config, WithTTL(leaseTime)), r)
	second := join(t, New(config, WithTTL(leaseTime)), membertest.Request("b", "127.0.0.1:2"))
	watcher := server.Config()
	watcher.Token = grant(t, admin, "observers", observerPolicy)
	observer, err := New(watcher).Observe(within(t), membertest.Request("", "127.0.0.1:3"))
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	holding(t, first, 2)
	holding(t, observer, 2)
	until(t, "the service is warned of", func() bool { return strings.Contains(log.String(), `service \"granary-test\"`) })
	ended := time.After(3 * leaseTime) // six renewals and more
	for going := true; going; {
		select {
		case <-ended:
			going = false
		case <-time.After(leaseTime / 20):
		}
		if first.Lease().Phase() == driver.LeaseFenced {
			t.Fatal("the member is fenced, as its agent refuses the service")
		}
	}
	if n := strings.Count(log.String(), "services failed"); n != 1 {
		t.Errorf("%d warnings of the service; want one:\n%s", n, &log)
	}
	if err := second.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	holding(t, first, 1)
	if strings.Contains(log.String(), config.Token) {
		t.Errorf("the token is in the log:\n%s", &log)
	}
}

// Who loses the right to read does not take the store for an empty one.
func TestPermissionTakenAway(t *testing.T) {
	t.Parallel()
	server := consultest.StartWithToken(t, managementToken, `acl { token_ttl = "0s" policy_ttl = "0s" role_ttl = "0s" }`)
	admin, ctx := server.Client(t), within(t)
	config := server.Config()
	config.Token = grant(t, admin, "members", membersPolicy)
	client, err := dial(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	s := newStore(client, DefaultPrefix, "test")
	register(t, s, "a", time.Hour)
	policy, _, err := admin.ACL().PolicyReadByName("members", nil)
	if err != nil {
		t.Fatal(err)
	}
	policy.Rules = strings.Replace(membersPolicy, `"granary/test/"`, `"granary/test/view"`, 1)
	if _, _, err := admin.ACL().PolicyUpdate(policy, nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the policy is in force", func() bool {
		record, err := s.Read(ctx)
		if err == nil && len(record.Alive) != 1 {
			t.Fatalf("with keys that are left out, alive are %q", record.Alive)
		}
		return errors.Is(err, errFiltered)
	})
	if _, err := s.Renew(ctx); err == nil || errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("Renew without the right to see the key: %v; want an error that may pass", err)
	}
}
