// Package certtest makes certificates for tests of TLS: authorities of a test's own,
// and what they sign, for now or for a time that is over.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial atomic.Int64

// NewAuthority makes an authority that nobody knows yet. It is valid for a day
// around the time of the call, which in a bubble is the bubble's.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, key: newKey(t)}
	template := template("authority", -time.Hour, 24*time.Hour)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// T is the test that the authority was made for.
func (a *Authority) T() testing.TB { return a.t }

// Issue signs a certificate for servers and clients that holds for the hosts, which
// are names or IP addresses, for an hour.
func (a *Authority) Issue(hosts ...string) *tls.Certificate {
	a.t.Helper()
	return a.IssueFor(-time.Minute, time.Hour, hosts...)
}

// IssueFor is Issue for another time, from and until a moment relative to now.
func (a *Authority) IssueFor(from, until time.Duration, hosts ...string) *tls.Certificate {
	a.t.Helper()
	return a.issue(from, until, hosts, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
}

// IssueServer is Issue for servers alone.
func (a *Authority) IssueServer(hosts ...string) *tls.Certificate {
	a.t.Helper()
	return a.issue(-time.Minute, time.Hour, hosts, x509.ExtKeyUsageServerAuth)
}

func (a *Authority) issue(from, until time.Duration, hosts []string, usages ...x509.ExtKeyUsage) *tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	template := template("process", from, until)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = usages
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Pool holds the authorities.
func Pool(authorities ...*Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range authorities {
		pool.AddCert(a.cert)
	}
	return pool
}

// Files are where WriteFiles writes.
type Files struct{ Certificate, Key, Authorities string }

// FilesIn names the files of a folder.
func FilesIn(dir string) Files {
	return Files{
		Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"),
		Authorities: filepath.Join(dir, "ca.crt"),
	}
}

// Write writes PEM files, each replaced at once.
func (f Files) Write(t testing.TB, certificate *tls.Certificate, authorities ...*Authority) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, a := range authorities {
		all = append(all, encode("CERTIFICATE", a.cert.Raw)...)
	}
	for path, text := range map[string][]byte{
		f.Certificate: encode("CERTIFICATE", certificate.Certificate[0]),
		f.Key:         encode("PRIVATE KEY", key),
		f.Authorities: all,
	} {
		if err := os.WriteFile(path+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func template(name string, from, until time.Duration) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(from), NotAfter: now.Add(until),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
