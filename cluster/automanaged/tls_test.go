package automanaged

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/internal/certtest"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/membershippb"
)

// Members ping each other by the TLS of their cluster, unless they were given
// other credentials.
func TestTLSOfTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		ca := certtest.NewAuthority(t)
		a, b, c := s.member("a"), s.member("b"), s.client("c")
		for host, p := range map[string]*process{"a": a, "b": b, "c": c} {
			certificate, pool := ca.Issue(host), certtest.Pool(ca)
			p.request.ServerTLS, p.request.ClientTLS = remote.Configure(host, 1, remote.WithTLS(
				func() (*tls.Certificate, *x509.CertPool, error) { return certificate, pool, nil })).TLS()
			p.open()
		}
		allHold(t, a, b)
		c.holds(a, b)
		if _, err := s.call("a:6330").Ping(t.Context(), &pb.PingRequest{Greeting: wireGreeting()}); status.Code(err) != codes.Unavailable {
			t.Errorf("a stranger without a certificate: %v", err)
		}
	})
}
