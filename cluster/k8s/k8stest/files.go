package k8stest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

const (
	certificateFile = "server.crt"
	keyFile         = "server.key"
	accountKeyFile  = "accounts.key"
	tokensFile      = "tokens.csv"
	validFor        = 24 * time.Hour
)

// identity is what all servers of a test program have in common, so that a client needs to know no more than an address.
type identity struct {
	certificate, key []byte // PEM; the certificate is its own authority
	token            string // of the administrator
}

var common = sync.OnceValues(func() (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "k8stest"},
		NotBefore: time.Now().Add(-validFor), NotAfter: time.Now().Add(validFor),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return identity{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return identity{}, err
	}
	return identity{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), key: keyPEM, token: rand.Text(),
	}, nil
})

// writeFiles writes what the API server reads: its certificate, the key that signs tokens of service accounts, and the
// administrator's token.
func (s *Server) writeFiles() error {
	own, err := common()
	if err != nil {
		return err
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	accountsPEM, err := encodeKey(accounts)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		certificateFile: own.certificate, keyFile: own.key, accountKeyFile: accountsPEM,
		tokensFile: fmt.Appendf(nil, "%s,admin,admin,system:masters\n", own.token),
	} {
		if err := os.WriteFile(filepath.Join(s.folder, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// ConfigAt is the configuration of an administrator, who may do everything, for any server of this test program: at its
// own address, or at that of a proxy before it on 127.0.0.1.
func ConfigAt(address string) *rest.Config {
	own, err := common()
	if err != nil {
		panic(err) // there is no server then
	}
	return &rest.Config{Host: "https://" + address, BearerToken: own.token, TLSClientConfig: rest.TLSClientConfig{CAData: own.certificate}}
}

// Config is [ConfigAt] the server's address.
func (s *Server) Config() *rest.Config { return ConfigAt(strings.TrimPrefix(s.Host, "https://")) }

// ConfigWith is a configuration with another token.
func (s *Server) ConfigWith(token string) *rest.Config {
	c := s.Config()
	c.BearerToken = token
	return c
}
