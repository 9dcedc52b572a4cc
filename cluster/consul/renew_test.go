package consul

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// fake is as much of Consul as a renewal needs.
type fake struct {
	mu    sync.Mutex // guards the fields below
	asked []string
	key   http.HandlerFunc // what a read of the key answers
	renew http.HandlerFunc
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, consistent := r.URL.Query()["consistent"]
	f.asked = append(f.asked, fmt.Sprintf("%s %s %t", r.Method, r.URL.Path, consistent))
	if strings.HasPrefix(r.URL.Path, "/v1/session/renew/") {
		f.renew(w, r)
		return
	}
	w.Header().Set("X-Consul-Index", "7")
	f.key(w, r)
}

const (
	theKey     = `[{"Key":"granary/test/members/a","Value":"","Session":"s-1","ModifyIndex":7}]`
	theSession = `[{"ID":"s-1","TTL":"15s"}]`
)

// registered is a store whose key is said to be there.
func registered(t *testing.T, f *fake) *store {
	client, err := dial(serve(t, f.ServeHTTP))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.close)
	s := newStore(client, DefaultPrefix, "test")
	s.session, s.key = "s-1", s.memberKey("a")
	return s
}

func TestRenewals(t *testing.T) {
	t.Parallel()
	json := func(body string) http.HandlerFunc { return text(http.StatusOK, "application/json", body) }
	gone := text(http.StatusNotFound, "", "")
	for name, c := range map[string]struct {
		key, renew http.HandlerFunc
		want       string // of the error; "" is success
		lost       bool
	}{
		"held":                {key: json(theKey), renew: json(theSession)},
		"the key is gone":     {key: gone, renew: json(theSession), lost: true},
		"another holds it":    {key: json(strings.Replace(theKey, "s-1", "s-2", 1)), renew: json(theSession), lost: true},
		"nobody holds it":     {key: json(strings.Replace(theKey, "s-1", "", 1)), renew: json(theSession), lost: true},
		"the session is gone": {key: gone, renew: text(http.StatusNotFound, "", "Session id 's-1' not found"), lost: true},
		"a server that is behind": {
			key: json(theKey), renew: text(http.StatusNotFound, "", "Session id 's-1' not found"), want: "renew it again",
		},
		"a proxy's 404 for all": {
			key:   func(w http.ResponseWriter, r *http.Request) { w.Header().Del("X-Consul-Index"); gone(w, r) },
			renew: text(http.StatusNotFound, "text/html", page), want: "no X-Consul-Index",
		},
		"no leader":       {key: json(theKey), renew: text(http.StatusInternalServerError, "", "No cluster leader"), want: "list-peers"},
		"no right":        {key: json(theKey), renew: text(http.StatusForbidden, "", "Permission denied: x"), want: "policy"},
		"another session": {key: json(theKey), renew: json(strings.Replace(theSession, "s-1", "s-2", 1)), want: "not about the session"},
		"no TTL":          {key: json(theKey), renew: json(strings.Replace(theSession, "15s", "", 1)), want: "TTL"},
		"a TTL below 0":   {key: json(theKey), renew: json(strings.Replace(theSession, "15s", "-15s", 1)), want: "TTL"},
		"nothing":         {key: json(theKey), renew: json("[]"), want: "not about the session"},
		"null":            {key: json(theKey), renew: json("[null]"), want: "not about the session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{key: c.key, renew: c.renew}
			granted, err := registered(t, f).Renew(t.Context())
			noSecret(t, err)
			switch {
			case c.lost && !errors.Is(err, driver.ErrLeaseLost):
				t.Errorf("Renew: %v, %v; want driver.ErrLeaseLost", granted, err)
			case !c.lost && errors.Is(err, driver.ErrLeaseLost):
				t.Errorf("Renew: %v; want a passing error, as nothing shows that the lease is lost", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Renew: %v, %v; want an error with %q", granted, err, c.want)
			case c.want == "" && !c.lost && (err != nil || granted != 15*time.Second):
				t.Errorf("Renew: %v, %v; want 15s", granted, err)
			}
		})
	}
}

// A renewal is worth nothing unless the majority confirms the leader before it, and the key is seen after it.
func TestRenewalIsBetweenConsistentReads(t *testing.T) {
	t.Parallel()
	f := &fake{key: text(http.StatusOK, "application/json", theKey), renew: text(http.StatusOK, "application/json", theSession)}
	s := registered(t, f)
	if _, err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	const read = "GET /v1/kv/granary/test/members/a true"
	if got := strings.Join(f.asked, "; "); got != read+"; PUT /v1/session/renew/s-1 false; "+read {
		t.Errorf("Renew asked %s", got)
	}
	f.asked = nil
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.asked, "; "); got != "GET /v1/kv/granary/test/ true" {
		t.Errorf("Read asked %s", got)
	}
}
