package k8s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

const secretToken = "eyJhbGciOiJub25lIn0.c2VjcmV0.c2lnbmF0dXJl"

func request(id driver.MemberID, address string) driver.Request {
	return driver.Request{
		Cluster: "shop", BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler), Member: driver.Member{
			ID: id, Address: address, Kinds: []driver.Kind{{Name: "Cart", Guarantee: driver.Leased}, {Name: "Straße 7", Guarantee: driver.Leased}},
			Versions: driver.Versions{Min: 1, Max: 1},
		},
	}
}

// joinFails expects that a member cannot join, and that the error says all of these, and no secret.
func joinFails(t *testing.T, p driver.Provider, want ...string) {
	t.Helper()
	var log membertest.Journal
	r := request("A", "127.0.0.1:1")
	r.Logger = log.Logger()
	session, err := p.Join(within(t), r)
	if err == nil {
		_ = session.Close()
		t.Fatal("Join succeeded")
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("Join: %v; want an error with %q", err, text)
		}
	}
	for _, text := range []string{err.Error(), log.String()} {
		if strings.Contains(text, secretToken) || strings.Contains(text, "hunter2") {
			t.Errorf("it tells a secret: %s", text)
		}
	}
}

func TestOptionsThatAreNonsense(t *testing.T) {
	t.Setenv(EnvNamespace, "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	elsewhere := &rest.Config{Host: "https://127.0.0.1:1"}
	for name, c := range map[string]struct {
		provider Provider
		want     string
	}{
		"no pod":             {New(), "use NewWithConfig elsewhere"},
		"no configuration":   {NewWithConfig(nil), "the configuration is nil"},
		"no host":            {NewWithConfig(&rest.Config{}), "has no Host"},
		"no namespace":       {NewWithConfig(elsewhere), "WithNamespace"},
		"nonsense namespace": {NewWithConfig(elsewhere, WithNamespace("A/B")), `"A/B" is no namespace`},
		"nonsense prefix":    {NewWithConfig(elsewhere, WithNamespace("a"), WithLabelPrefix("x/y")), `"x/y" is no prefix`},
		"nonsense pod":       {NewWithConfig(elsewhere, WithNamespace("a"), WithPod("a/b")), `"a/b" is no name of a pod`},
		"no certificate": {NewWithConfig(&rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: "/none"}},
			WithNamespace("a")), "the configuration for https://127.0.0.1:1 cannot be used"},
		"short lease": {NewWithConfig(elsewhere, WithNamespace("a"), WithTTL(time.Millisecond)), "lease time"},
	} {
		t.Run(name, func(t *testing.T) { joinFails(t, c.provider, c.want) })
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for host, shown := range map[string]string{
		"https://user:hunter2@127.0.0.1:1":  "https://127.0.0.1:1",
		"user:hunter2@127.0.0.1:1":          "127.0.0.1:1",
		"https://127.0.0.1:1?token=hunter2": "https://127.0.0.1:1",
	} {
		config := &rest.Config{Host: host, BearerToken: secretToken}
		joinFails(t, NewWithConfig(config, WithNamespace("a")), "no answer from "+shown+":", "refused")
	}
	joinFails(t, NewWithConfig(&rest.Config{Host: "https://user:hunter2@127.0.0.1:x"}, WithNamespace("a")), "https://127.0.0.1:x")
}

func TestJoinEndsWithItsContext(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(held)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := NewWithConfig(&rest.Config{Host: server.URL}, WithNamespace("a")).Join(ctx, request("A", "127.0.0.1:1"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer from "+server.URL) {
		t.Errorf("Join at a server that does not answer: %v; want %v that names it", err, context.DeadlineExceeded)
	}
}

// nonsense are answers of what is no API server, or of one that is broken.
var nonsense = map[string]func(http.ResponseWriter, *http.Request){
	"a page":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>welcome</html>") },
	"nothing":   func(http.ResponseWriter, *http.Request) {},
	"not found": http.NotFound,
	"a gateway": func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
	},
	"a conflict":        func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "conflict", http.StatusConflict) },
	"gone":              func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone", http.StatusGone) },
	"an empty object":   asJSON(`{}`),
	"null":              asJSON(`null`),
	"another kind":      asJSON(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","uid":"u","resourceVersion":"7"}}`),
	"an empty list":     asJSON(`{"kind":"ConfigMapList","apiVersion":"v1","items":[{}]}`),
	"a success":         asJSON(`{"kind":"Status","apiVersion":"v1","status":"Success"}`),
	"cut off":           asJSON(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVer`),
	"words for numbers": asJSON(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":"x"}`),
	"what it was sent": func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "you sent "+r.Header.Get("Authorization"), http.StatusInternalServerError)
	},
	"what it was sent, as a status": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no: %s"}`, r.Header.Get("Authorization"))
	},
	"broken protobuf": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf")
		fmt.Fprint(w, "k8s\x00\x0a\xff\xff\xff\xff\x0f")
	},
	"itself, elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
}

func asJSON(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, text)
	}
}

func TestNonsenseAtJoin(t *testing.T) {
	t.Parallel()
	for name, answer := range nonsense {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(answer))
			defer server.Close()
			config := &rest.Config{Host: server.URL, BearerToken: secretToken}
			host := server.URL
			if strings.HasSuffix(name, "status") {
				host = "the process needs the Role" // it looks like a server's
			}
			joinFails(t, NewWithConfig(config, WithNamespace("a")), "k8s: ", host)
		})
	}
}

// A server that cannot serve now may be able to a little later: the cluster waits for it. What does not mend is told at once.
func TestWhatMayPass(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code   int
		answer string
		passes bool
	}{
		"overloaded":           {http.StatusTooManyRequests, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","code":429}`, true},
		"no etcd":              {http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500}`, true},
		"late":                 {http.StatusGatewayTimeout, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Timeout","code":504}`, true},
		"a gateway without it": {http.StatusBadGateway, "<html>bad gateway</html>", true},
		"unauthorized":         {http.StatusUnauthorized, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`, false},
		"forbidden":            {http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`, false},
		"something else":       {http.StatusOK, "<html>welcome</html>", false},
		"not found":            {http.StatusNotFound, "not found", false},
		"a closed connection":  {0, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.code == 0 {
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.code)
				fmt.Fprint(w, c.answer)
			}))
			defer server.Close()
			_, err := NewWithConfig(&rest.Config{Host: server.URL}, WithNamespace("a")).Join(within(t), request("A", "127.0.0.1:1"))
			if err == nil || errors.Is(err, driver.ErrUnavailable) != c.passes {
				t.Errorf("Join: %v; that it may pass is %t, want %t", err, errors.Is(err, driver.ErrUnavailable), c.passes)
			}
		})
	}
}

// A member whose server begins to talk nonsense has not lost its Lease by that, nor has anybody else, nor did another
// writer win.
func TestNonsenseLater(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var instead atomic.Pointer[func(http.ResponseWriter, *http.Request)]
	b.config = b.Config()
	b.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			answer := instead.Load()
			if answer == nil {
				return next.RoundTrip(r)
			}
			if r.Body != nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			recorded := httptest.NewRecorder()
			(*answer)(recorded, r)
			return recorded.Result(), nil
		})
	})
	s := b.store()
	b.register(s, "A", 10*time.Minute)
	if err := s.Write(within(t), b.read(s), []byte("first")); err != nil {
		t.Fatal(err)
	}
	since := b.read(s)
	for name, answer := range nonsense {
		t.Run(name, func(t *testing.T) {
			instead.Store(&answer)
			defer instead.Store(nil)
			ctx, cancel := context.WithTimeout(within(t), 5*time.Second)
			defer cancel()
			if r, err := s.Read(ctx); err == nil {
				t.Errorf("Read gives %q alive and the record %q", r.Alive, r.Data)
			}
			for call, err := range map[string]error{
				"Renew":      second(s.Renew(ctx)),
				"Write":      s.Write(ctx, since, []byte("second")),
				"Unregister": s.Unregister(ctx),
			} {
				switch {
				case call == "Unregister" && name == "a success": // it says all that a server says
				case errors.Is(err, driver.ErrLeaseLost), errors.Is(err, driver.ErrConflict), err == nil:
					t.Errorf("%s: %v; want an error that says that this is nonsense", call, err)
				case strings.Contains(err.Error(), secretToken):
					t.Errorf("%s tells the token: %v", call, err)
				}
			}
			if err := s.Wait(ctx, since); ctx.Err() != nil && name != "nothing" {
				t.Errorf("Wait: %v after its time", err)
			}
		})
	}
	b.renew(s)
	b.alive(s, "after all that", "A")
}

func second[T any](_ T, err error) error { return err }
