package remote

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLSFilesCheck is how long [TLSFiles] goes by what it has read before it looks
// whether the files have changed.
const TLSFilesCheck = time.Second

// TLSFiles is a [TLSSource] that reads PEM files: the certificate of this process
// with its chain, the key to it, and the certificates of the authorities. It reads
// them again when one of them has changed, as those that cert-manager or a Kubernetes
// secret writes. Files that do not fit each other, as while they are being
// replaced, or that cannot be read whole, leave in force what was read before, and a
// log line says so; only if nothing was, they are an error.
func TLSFiles(certificate, key, authorities string) TLSSource {
	f := &tlsFiles{paths: [3]string{certificate, key, authorities}}
	return f.get
}

type tlsFiles struct {
	paths [3]string

	mu          sync.Mutex
	checked     time.Time        // guarded by mu
	read        [3]fileStamp     // guarded by mu: of what is in force, or was tried last
	certificate *tls.Certificate // guarded by mu
	authorities *x509.CertPool   // guarded by mu
}

// fileStamp tells whether a file has changed.
type fileStamp struct {
	modified time.Time
	size     int64
}

func (f *tlsFiles) get() (*tls.Certificate, *x509.CertPool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.certificate != nil && now.Sub(f.checked) < TLSFilesCheck {
		return f.certificate, f.authorities, nil
	}
	stamps, err := f.stamps()
	if err == nil && (f.certificate == nil || stamps != f.read) {
		err = f.load()
		if err == nil {
			f.read = stamps
		}
	}
	if f.certificate == nil {
		return nil, nil, err
	}
	f.checked = now // after a failure the old ones count, until the next look
	return f.certificate, f.authorities, err
}

func (f *tlsFiles) stamps() (stamps [3]fileStamp, err error) {
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, err
		}
		stamps[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

func (f *tlsFiles) load() error {
	certificate, err := tls.LoadX509KeyPair(f.paths[0], f.paths[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", f.paths[0], f.paths[1], err)
	}
	text, err := os.ReadFile(f.paths[2])
	if err != nil {
		return err
	}
	authorities, err := parseAuthorities(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.paths[2], err)
	}
	f.certificate, f.authorities = &certificate, authorities
	return nil
}

// parseAuthorities reads certificates, all of them or none: half a file of two
// authorities must not stand for the first.
func parseAuthorities(text []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a %q among the certificates", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		pool.AddCert(certificate)
		n++
	}
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return nil, errors.New("a certificate in it is damaged, or not all of it is there")
	}
	if n == 0 {
		return nil, errors.New("no certificate in it")
	}
	return pool, nil
}
