package automanaged

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/internal/certtest"
	"github.com/granary-go/granary/remote"
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
			p.request.TLS = remote.Configure(host, 1, remote.WithTLS(
				func() (*tls.Certificate, *x509.CertPool, error) { return certificate, pool, nil })).TLS()
			p.open()
		}
		allHold(t, a, b)
		c.holds(a, b)
		if _, err := s.call("a:6330").Ping(t.Context(), &pb.PingRequest{Greeting: wireGreeting()}); status.Code(err) != codes.Unavailable {
			t.Errorf("a stranger without a certificate: %v", err)
		}
		// The client has a certificate, but not that of b.
		links := c.provider.config
		links.clientTLS, links.names = c.request.TLS.Client, new(sync.Map)
		as := func(host string) error {
			conn, err := links.connect("a:6330", func() {})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			g := wireGreeting()
			g.Sender, g.View.Members[0] = wireEntry(host), wireEntry(host)
			_, err = pb.NewMembershipClient(conn).Ping(t.Context(), &pb.PingRequest{Greeting: g})
			return err
		}
		if err := as("b"); status.Code(err) != codes.PermissionDenied {
			t.Errorf("c as b: %v", err)
		}
		if err := as("c"); status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unavailable {
			t.Errorf("c as itself: %v", err)
		}
	})
}
