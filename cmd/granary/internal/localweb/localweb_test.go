package localweb_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/granary-go/granary/cmd/granary/internal/localweb"
)

func TestCheck(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:0": "", "[::1]:80": "", "localhost:80": "", "127.9.9.9:1": "",
		"0.0.0.0:80": "not on the loopback", ":80": "not on the loopback", "10.0.0.1:80": "not on the loopback",
		"example.com:80": "not on the loopback", "127.0.0.1": "not host:port", "": "not host:port",
	} {
		err := localweb.Check(address)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}

// It serves the names of the loopback alone, and its end ends streams.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, err := localweb.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- localweb.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			_ = http.NewResponseController(w).Flush()
			if r.URL.Path == "/stream" {
				<-r.Context().Done()
			}
		}))
	}()
	for host, want := range map[string]int{"": 200, "localhost": 200, "localhost:1": 200, "evil.example": 421, "10.0.0.1:80": 421} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, localweb.URL(l), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != want {
			t.Errorf("as %q: %d, want %d", host, got.StatusCode, want)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, localweb.URL(l)+"stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	cancel()
	if text, err := io.ReadAll(stream.Body); err != nil || string(text) != "hello" {
		t.Errorf("the stream gave %q, %v", text, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
