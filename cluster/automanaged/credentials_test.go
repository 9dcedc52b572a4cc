package automanaged

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/wire/membershippb"
)

// mutual makes credentials for both ends that trust each other and nobody else.
func mutual(t *testing.T, hosts ...string) (server, client credentials.TransportCredentials) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	own := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
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
