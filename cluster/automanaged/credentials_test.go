package automanaged

import (
	"crypto/tls"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/internal/certtest"
)

// mutual makes credentials for both ends that trust each other and nobody else.
func mutual(t *testing.T, hosts ...string) (server, client credentials.TransportCredentials) {
	t.Helper()
	ca := certtest.NewAuthority(t)
	own, pool := []tls.Certificate{*ca.Issue(hosts...)}, certtest.Pool(ca)
	return credentials.NewTLS(&tls.Config{Certificates: own, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}),
		credentials.NewTLS(&tls.Config{Certificates: own, RootCAs: pool})
}

func TestCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		server, client := mutual(t, "a", "b")
		a, b, c := s.member("a"), s.member("b"), s.client("c")
		for _, p := range []*process{a, b, c} {
			p.provider = p.provider.WithCredentials(server, client)
			p.open()
		}
		allHold(t, a, b)
		c.holds(a, b)
		if _, err := s.call("a:6330").Ping(t.Context(), &pb.PingRequest{Greeting: wireGreeting()}); status.Code(err) != codes.Unavailable {
			t.Errorf("a stranger without a certificate: %v", err)
		}
	})
}
