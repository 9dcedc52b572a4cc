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

// writeFiles writes what the API server reads: its certificate, the key that signs tokens of service accounts, and the
// administrator's token.
func (s *Server) writeFiles() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "k8stest"},
		NotBefore: time.Now().Add(-validFor), NotAfter: time.Now().Add(validFor),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	s.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	keyPEM, err := encodeKey(key)
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
		certificateFile: s.authority, keyFile: keyPEM, accountKeyFile: accountsPEM,
		tokensFile: fmt.Appendf(nil, "%s,admin,admin,system:masters\n", s.token),
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

// connect makes the administrator's client for the server's address.
func (s *Server) connect() error {
	s.admin = s.config(s.token)
	client, err := rest.HTTPClientFor(s.admin)
	if err != nil {
		return err
	}
	s.http = client
	return nil
}

func (s *Server) config(token string) *rest.Config {
	return &rest.Config{Host: s.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: s.authority}}
}

// Config is the configuration of an administrator, who may do everything.
func (s *Server) Config() *rest.Config { return s.config(s.token) }

// ConfigWith is a configuration with another token.
func (s *Server) ConfigWith(token string) *rest.Config { return s.config(token) }
