package consul

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

// certificate makes one for the loopback that signs itself, and gives the files of it and its key.
func certificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "certificate.pem"), filepath.Join(folder, "key.pem")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	other, _ := certificate(t)
	port := consultest.FreePort(t)
	server := consultest.Start(t, fmt.Sprintf(`ports { https = %d } tls { https { ca_file = %q cert_file = %q key_file = %q verify_incoming = true } }`,
		port, cert, cert, key))
	address := fmt.Sprintf("127.0.0.1:%d", port)
	full := api.TLSConfig{CAFile: cert, CertFile: cert, KeyFile: key}
	for name, c := range map[string]struct {
		config api.Config
		want   string // of the error; "" is success
	}{
		"both know each other": {config: api.Config{Address: "https://" + address, TLSConfig: full}},
		"a scheme apart":       {config: api.Config{Address: address, Scheme: "https", TLSConfig: full}},
		"nobody's certificate": {api.Config{Address: "https://" + address, TLSConfig: api.TLSConfig{CAFile: cert}}, "CertFile and KeyFile"},
		"no authority":         {api.Config{Address: "https://" + address, TLSConfig: api.TLSConfig{CertFile: cert, KeyFile: key}}, "CAFile"},
		"another authority":    {api.Config{Address: "https://" + address, TLSConfig: api.TLSConfig{CAFile: other, CertFile: cert, KeyFile: key}}, "CAFile"},
		"no file":              {api.Config{Address: "https://" + address, TLSConfig: api.TLSConfig{CAFile: cert + ".no"}}, "check api.Config"},
		"HTTP to HTTPS":        {api.Config{Address: "http://" + address}, "8501 with TLS"},
		"HTTPS to HTTP":        {api.Config{Address: "https://" + server.Address, TLSConfig: full}, "8501 with TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			session, err := New(c.config, WithTTL(3*time.Second)).Join(within(t), membertest.Request(driver.MemberID(name), "127.0.0.1:1"))
			if err == nil {
				err = session.Close()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Join: %v; want %q", err, c.want)
			}
		})
	}
}
