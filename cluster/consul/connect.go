package consul

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/consul/api"
)

// maxAnswer bounds the body of an answer, in bytes: more is no answer of Consul's to a member.
const maxAnswer = 256 << 20

// connection is a client, and where it leads.
type connection struct {
	*api.Client
	address string       // empty if it is not known
	http    *http.Client // to be closed with the session; nil if it is the caller's
}

// close frees the connections that nobody uses.
func (c *connection) close() {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
}

// dial makes a client. It connects to nobody.
func dial(c api.Config) (*connection, error) {
	given := c.HttpClient
	switch {
	case given != nil:
		own := *given
		c.HttpClient = &own
	case c.Transport != nil:
		c.Transport = c.Transport.Clone() // the client changes it
	}
	client, err := api.NewClient(&c) // which completes c
	if err != nil {
		return nil, fmt.Errorf("consul: make a client: %w; check api.Config and the CONSUL_ variables of the environment", err)
	}
	if err := checkAddress(c.Address); err != nil {
		return nil, err
	}
	next := c.HttpClient.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.HttpClient.Transport = guard{next}
	c.HttpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	made := &connection{Client: client, address: c.Address}
	if given == nil {
		made.http = c.HttpClient
	}
	return made, nil
}

// checkAddress refuses what can be no address, as a client has it: without its scheme and path.
func checkAddress(address string) error {
	const do = "set Address of api.Config (or CONSUL_HTTP_ADDR) to that of an agent's HTTP API, for example 127.0.0.1:8500"
	if strings.Contains(address, "@") {
		return errors.New("consul: there are credentials in the address; set Token or HttpAuth of api.Config, and leave the address without")
	}
	if u, err := url.Parse("http://" + address); err != nil || !strings.HasPrefix(address, "/") && (u.Host != address || u.Hostname() == "") {
		return fmt.Errorf("consul: %q is no address: %s", address, do)
	}
	return nil
}

// guard is a transport that lets nothing through that is no answer of Consul's. The client would take a page for people
// that holds the word true for an agreement, and reads all that it is sent.
type guard struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	kind := answer.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(kind); answer.StatusCode == http.StatusOK && kind != "" && (err != nil || media != "application/json") {
		_ = answer.Body.Close() // it is not read
		return nil, fmt.Errorf("%w: it is of type %.100q", errNotConsul, kind)
	}
	answer.Body = &bounded{ReadCloser: answer.Body, left: maxAnswer}
	return answer, nil
}

// CloseIdleConnections is what an [http.Client] calls.
func (g guard) CloseIdleConnections() {
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// bounded is a body that fails when it is too long.
type bounded struct {
	io.ReadCloser
	left int // how much more it may have; below 0 when it had more
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("%w: it is longer than %d MiB", errNotConsul, maxAnswer>>20)
	}
	return n, err
}
