package consul

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

// secret is a token that no text may hold.
const secret = "5ec4e7-t0ken"

func noSecret(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("the token is in the text of an error: %v", err)
	}
}

// serve starts a server for nonsense, and gives the configuration of a client.
func serve(t *testing.T, answer http.HandlerFunc) api.Config {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return api.Config{Address: server.Listener.Addr().String(), Scheme: "http", Token: secret}
}

func text(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// endless answers with a list that has no end.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`[`))
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(`{"Key":"x"},`)); err != nil {
			return
		}
	}
}

// silent does not answer. It reads the request, so that it notices when the client gives up.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// redirect sends everybody elsewhere, where the token must not arrive.
func redirect(t *testing.T) http.HandlerFunc {
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Consul-Token") != "" {
			t.Error("the token was taken to another server")
		}
		text(http.StatusOK, "application/json", `{"ID":"x"}`)(w, r)
	})
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+elsewhere.Address+r.URL.Path, http.StatusTemporaryRedirect)
	}
}

const page = "<html><head><title>Portal</title></head><body>it is true that this is a page</body></html>"

// The cluster's Start waits for servers that have no leader, begin or end, and for nothing that is not mended by that.
func TestWhatMayPass(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		passes bool
	}{
		"no leader":      {text(http.StatusInternalServerError, "", "No cluster leader"), true},
		"no servers":     {text(http.StatusInternalServerError, "", "No known Consul servers"), true},
		"a leader ends":  {text(http.StatusInternalServerError, "", "rpc error making call: leadership lost while committing log"), true},
		"overloaded":     {text(http.StatusTooManyRequests, "", "rate limit exceeded, try again later"), true},
		"no agent":       {text(http.StatusServiceUnavailable, "text/html", page), true},
		"ends":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
		"forbidden":      {text(http.StatusForbidden, "", "Permission denied"), false},
		"no such token":  {text(http.StatusForbidden, "", "ACL not found"), false},
		"no datacenter":  {text(http.StatusInternalServerError, "", "No path to datacenter"), false},
		"no server":      {text(http.StatusNotFound, "text/html", page), false},
		"another server": {text(http.StatusOK, "text/html", page), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(serve(t, c.answer)).Join(within(t), membertest.Request("a", "127.0.0.1:1"))
			if err == nil || errors.Is(err, driver.ErrUnavailable) != c.passes {
				t.Errorf("Join: %v; that it passes is %t, want %t", err, errors.Is(err, driver.ErrUnavailable), c.passes)
			}
			noSecret(t, err)
		})
	}
}

// A server that is not Consul, or not well, is told by its answers: Join and Observe say so, with the address.
func TestNonsenseAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a page":         {text(http.StatusOK, "text/html", page), "no other server"},
		"a page as JSON": {text(http.StatusOK, "application/json", page), "no other server"},
		"nothing":        {text(http.StatusOK, "", ""), "no other server"},
		"cut JSON":       {text(http.StatusOK, "application/json", `{"ID": "sess`), "no other server"},
		"other JSON":     {text(http.StatusOK, "application/json", `[1, "two", null]`), "no other server"},
		"empty JSON":     {text(http.StatusOK, "application/json", `{}`), "no other server"},
		"null":           {text(http.StatusOK, "application/json", `null`), "no other server"},
		"not found":      {text(http.StatusNotFound, "text/html", page), "no other server"},
		"500":            {text(http.StatusInternalServerError, "", strings.Repeat("<p>sorry ", 1e5)), "it answered 500"},
		"no leader":      {text(http.StatusInternalServerError, "", "No cluster leader"), "list-peers"},
		"503":            {text(http.StatusServiceUnavailable, "text/html", page), "it answered 503"},
		"silence":        {silent, "can be reached"},
		"an endless one": {endless, ""},
		"elsewhere":      {redirect(t), "it answered 307"},
		"forbidden":      {text(http.StatusForbidden, "", "Permission denied"), `key_prefix "granary/test/"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := serve(t, c.answer)
			provider := New(config, WithTTL(9*time.Second)) // calls have three seconds
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			open := map[string]func() (driver.Session, error){
				"Join": func() (driver.Session, error) { return provider.Join(ctx, membertest.Request("a", "127.0.0.1:1")) },
				"Observe": func() (driver.Session, error) {
					bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
					defer cancel()
					return provider.Observe(bounded, membertest.Request("", "127.0.0.1:1"))
				},
			}
			for call, open := range open {
				begun := time.Now()
				session, err := open()
				if err == nil {
					session.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), config.Address) || len(err.Error()) > 3000 {
					t.Errorf("%s: %v; want an error with %q and the address", call, err, c.want)
				}
				if took := time.Since(begun); took > time.Minute { // a machine may be busy
					t.Errorf("%s took %v", call, took)
				}
				noSecret(t, err)
			}
		})
	}
}

func TestNonsenseAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:1":                     "connection refused",
		"http://127.0.0.1:1":              "connection refused",
		"no.such.host.invalid:8500":       "no.such.host.invalid",
		"not an address":                  "is no address",
		"http://":                         "is no address",
		"ftp://127.0.0.1:8500":            "Unknown protocol",
		"127.0.0.1:port":                  "is no address",
		"http://me:" + secret + "@h:8500": "credentials in the address",
		"unix:///nowhere/consul.sock":     "nowhere",
		"127.0.0.1:8500?token=x":          "is no address",
	} {
		session, err := New(api.Config{Address: address}, WithTTL(3*time.Second)).Join(t.Context(), membertest.Request("a", "127.0.0.1:1"))
		if err == nil {
			session.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Join with the address %q: %v; want an error with %q", address, err, want)
		}
		noSecret(t, err)
	}
	client, err := api.NewClient(&api.Config{Address: "me:" + secret + "@127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewWithClient(client).Join(t.Context(), membertest.Request("a", "127.0.0.1:1"))
	if err == nil {
		t.Error("Join with a nonsense address succeeded")
	}
	noSecret(t, err)
	if _, err := NewWithClient(nil).Join(t.Context(), membertest.Request("a", "127.0.0.1:1")); err == nil {
		t.Error("Join without a client succeeded")
	}
}

// The client takes a page that holds the word true for an agreement.
func TestPagesAgreeToNothing(t *testing.T) {
	t.Parallel()
	client, err := dial(serve(t, text(http.StatusOK, "text/html", page)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	if err := newStore(client, DefaultPrefix, "test").Write(t.Context(), driver.Record{}, []byte("x")); !errors.Is(err, errNotConsul) {
		t.Errorf("Write to a server of pages: %v; want %v", err, errNotConsul)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for length, fits := range map[int]bool{0: true, 9: true, 10: true, 11: false, 5000: false} {
		body := &bounded{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", length))), left: 10}
		got, err := io.ReadAll(body)
		if fits && (err != nil || len(got) != length) || !fits && !errors.Is(err, errNotConsul) {
			t.Errorf("of %d bytes %d are read, %v", length, len(got), err)
		}
	}
}

// A 404 that is not Consul's, or an empty list of a token that may read nothing, is not an empty store: members would
// be taken for dead.
func TestEmptyStoresThatAreNone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a proxy's 404": text(http.StatusNotFound, "text/html", page),
		"no right": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Consul-Index", "7")
			if r.URL.Query().Has("recurse") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			text(http.StatusForbidden, "", "Permission denied: anonymous token lacks permission")(w, r)
		},
		"filtered": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Consul-Index", "7")
			w.Header().Set("X-Consul-Lastcontact", "0")
			w.Header().Set("X-Consul-Results-Filtered-By-Acls", "true")
			text(http.StatusOK, "application/json", theKey)(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := dial(serve(t, answer))
			if err != nil {
				t.Fatal(err)
			}
			defer client.close()
			record, err := newStore(client, DefaultPrefix, "test").Read(t.Context())
			if err == nil {
				t.Errorf("Read gives %+v; want an error", record)
			}
		})
	}
}

func TestNonsenseAndFencedStores(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":            text(http.StatusOK, "text/html", page),
		"empty":             text(http.StatusOK, "application/json", `{}`),
		"null":              text(http.StatusOK, "application/json", `{"Results":[null]}`),
		"null twice":        text(http.StatusOK, "application/json", `{"Results":[{"KV":null}]}`),
		"another key":       text(http.StatusOK, "application/json", `{"Results":[{"KV":{"Key":"x"}}]}`),
		"a bare conflict":   text(http.StatusConflict, "application/json", `{}`),
		"an empty conflict": text(http.StatusConflict, "application/json", `{"Errors":[null]}`),
		"not found":         text(http.StatusNotFound, "text/html", page),
		"a long 500":        text(http.StatusInternalServerError, "text/html", strings.Repeat("<p>sorry ", 1e5)),
		"no right":          text(http.StatusConflict, "application/json", `{"Errors":[{"OpIndex":0,"What":"Permission denied: x"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := dial(serve(t, answer))
			if err != nil {
				t.Fatal(err)
			}
			defer client.close()
			s, id := NewFencedStore(client.Client, "state"), driver.Identity{Kind: "k", Name: "n"}
			_, err = s.Open(t.Context(), id, driver.Fence{Term: 1})
			for call, err := range map[string]error{"Open": err, "Write": s.Write(t.Context(), id, driver.Fence{Term: 1}, []byte("x"))} {
				if err == nil || errors.Is(err, driver.ErrFenced) || errors.Is(err, driver.ErrConflict) || len(err.Error()) > 3000 {
					t.Errorf("%s: %v; want an error that says what it is", call, err)
				}
				noSecret(t, err)
			}
		})
	}
}

// A session that has ended, or never began, keeps no connection.
func TestConnectionsEnd(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards open and made
	open, made := 0, 0
	server := httptest.NewUnstartedServer(text(http.StatusForbidden, "", "Permission denied"))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateNew:
			open++
			made++
		case http.StateClosed:
			open--
		}
	}
	server.Start()
	defer server.Close()
	config := api.Config{Address: server.Listener.Addr().String(), Scheme: "http"}
	for what, do := range map[string]func(){
		"a Join that fails": func() {
			if _, err := New(config).Join(t.Context(), membertest.Request("a", "127.0.0.1:1")); err == nil {
				t.Error("Join succeeded")
			}
		},
		"a store that is closed": func() {
			client, err := dial(config)
			if err != nil {
				t.Fatal(err)
			}
			s := newStore(client, DefaultPrefix, "test")
			if _, err := s.Read(t.Context()); err == nil {
				t.Error("Read succeeded")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		mu.Lock()
		made = 0
		mu.Unlock()
		do()
		until(t, what+" keeps no connection", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return made > 0 && open == 0
		})
	}
}
