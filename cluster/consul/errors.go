package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
)

var (
	errNotRegistered = errors.New("consul: this process has no liveness key; call Register first")
	errNotConsul     = errors.New("the answer is not one of Consul's")
	errFiltered      = errors.New("the ACL token may not read all keys")
	errForgotten     = errors.New("a server does not know the session, and another holds its key; renew it again")
)

// How much is told of an answer's body, and of an error of the client that holds one, in bytes.
const (
	maxBody = 300
	maxText = 1000
)

// failure is an error of the client with a text of our own. What it wraps stays recognisable.
type failure struct {
	text  string
	cause error
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap gives the client's error.
func (f *failure) Unwrap() error { return f.cause }

// secrets are a user and a password in an address, which the client does not know to be such.
var secrets = regexp.MustCompile(`[^\s/"]*:[^\s/"]*(@|%40)`)

// explain says of an error of the client where it came from and what to do about it. The words are those of a policy that
// would have allowed it.
func (s *store) explain(what string, err error) error {
	where := ""
	if s.client.address != "" {
		where = " (agent at " + s.client.address + ")"
	}
	explained := explain(err, s.policy())
	if mayPass(err) {
		return fmt.Errorf("consul: %s%s: %w: %w", what, where, driver.ErrUnavailable, explained)
	}
	return fmt.Errorf("consul: %s%s: %w", what, where, explained)
}

// unwell are words of agents whose servers have no leader, begin or end, or cannot be reached by them.
var unwell = []string{
	"No cluster leader", "No known Consul servers", "leadership lost", "leadership transfer", "raft is already shutdown",
	"not the leader", "rpc error getting client", "rpc error making call: EOF", "i/o timeout", "connection refused", "rate limit",
}

// mayPass reports whether an agent or its servers are not there yet, or just now, or something before the agent says so.
// Whether the network was to blame package record sees for itself.
func mayPass(err error) bool {
	var status api.StatusError
	var asked *url.Error
	switch {
	case errors.As(err, &status):
		switch status.Code {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return status.Code == http.StatusInternalServerError &&
			slices.ContainsFunc(unwell, func(words string) bool { return strings.Contains(status.Body, words) })
	case errors.As(err, &asked):
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}
	return false
}

// policy gives the ACL policy that the members need.
func (s *store) policy() string {
	return fmt.Sprintf(`key_prefix %q { policy = "write" } session %q { policy = "write" } node %q { policy = "write" }`,
		s.prefix, s.node, s.node)
}

func explain(err error, policy string) error {
	text := cut(err.Error(), maxText)
	var status api.StatusError
	if errors.As(err, &status) {
		text = fmt.Sprintf("it answered %d (%s)", status.Code, cut(status.Body, maxBody))
	}
	if do := advice(err, status, text, policy); do != "" {
		text += ": " + do
	}
	return &failure{text: secrets.ReplaceAllString(text, "…@"), cause: err}
}

// cut shortens what a server sent, which may be a page for people, and makes one line of it.
func cut(text string, most int) string {
	if len(text) > 2*most {
		text = text[:2*most] // the rest is not looked at
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// elsewhere is what to do about an answer that is not Consul's.
const elsewhere = "check that the address is that of an agent's HTTP API (port 8500 as a rule, 8501 with TLS and the scheme https), " +
	"and no other server's"

// told are words of Consul's that tell what is wrong, and what to do then.
var told = []struct{ words, do string }{
	{"ACL not found", "the servers do not know this ACL token: check Token of api.Config (or CONSUL_HTTP_TOKEN)"},
	{"Invalid Session TTL", "the servers grant no such lease time: use WithTTL, or change session_ttl_min of the servers (10s as it comes)"},
	{"cross datacenter lock", "a session of another datacenter is made at a server: set Address of api.Config to a server's, or Datacenter to the agent's own"},
	{"No path to datacenter", "check Datacenter of api.Config"},
	{"No known Consul servers", "the agent knows no server: check its retry_join, and that the servers run (consul members)"},
	{"No cluster leader", "the servers have lost their majority, or are choosing a leader: see consul operator raft list-peers"},
	{"HTTP request to an HTTPS server", elsewhere},
	{"HTTP response to HTTPS client", elsewhere},
	{"x509:", "check TLSConfig of api.Config: CAFile (or CONSUL_CACERT) has to hold the authority that signed the agent's certificate"},
	{"tls: certificate required", "the agent wants a certificate of the client: set CertFile and KeyFile of api.Config's TLSConfig"},
	{"tls: bad certificate", "the agent refuses the client's certificate: check CertFile and KeyFile of api.Config's TLSConfig"},
	{"Consul Enterprise", "set Namespace and Partition of api.Config (or CONSUL_NAMESPACE and CONSUL_PARTITION) for Consul Enterprise alone"},
	{"too large", "kv_max_value_size and txn_max_req_len of the agent and the servers are the limits"},
}

// advice says what to do about an error; "" when nothing is known.
func advice(err error, status api.StatusError, text, policy string) string {
	for _, t := range told {
		if strings.Contains(text, t.words) {
			return t.do
		}
	}
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	var asked *url.Error
	switch {
	case status.Code == http.StatusForbidden, strings.Contains(text, "Permission denied"), errors.Is(err, errFiltered):
		return "set Token of api.Config (or CONSUL_HTTP_TOKEN) to one whose policy has " + policy
	case errors.Is(err, errNotConsul):
		return elsewhere
	case errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &asked):
		do := "check that a Consul agent runs there and can be reached (port 8500 as a rule, 8501 with TLS and the scheme https), " +
			"and that its servers have a leader"
		if strings.HasPrefix(asked.URL, "https:") { // its refusal may be lost, and only the connection be seen to end
			do += ", and that it does not want another certificate of the client (CertFile and KeyFile of TLSConfig)"
		}
		return do
	case errors.As(err, &syntax), errors.As(err, &shape), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		status.Code != 0 && status.Code < http.StatusBadRequest, status.Code == http.StatusNotFound, status.Code == http.StatusMethodNotAllowed:
		return elsewhere
	}
	return ""
}
