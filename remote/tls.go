package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcpeer "google.golang.org/grpc/peer"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
)

// TLSSource gives what a process proves itself with, and what it believes: its
// certificate with the key, and the authorities whose certificates it takes. It is
// called at every handshake, by several goroutines, so that what it gives may
// change while the process runs; it must be quick, and what it gave is not changed
// afterwards. An error beside a certificate and authorities is logged, and these
// count. [TLSFiles] is one.
type TLSSource func() (certificate *tls.Certificate, authorities *x509.CertPool, err error)

// TLSOption changes what [WithTLS] asks of peers.
type TLSOption func(*tlsConfig)

// WithTLS encrypts every connection and has both sides prove who they are: each
// presents the certificate that source gives, and takes the other's only if one of
// the authorities has signed it, it is valid at the moment, and it holds for the
// host of the address that the other is known by. So a process can neither read
// what others say, nor send without a certificate, nor call itself by another
// member's address, as long as that is of another host. Certificates are for servers
// and for clients: every process is both.
//
// It is the one option for a cluster: the cluster gives it to its membership
// provider, too, for connections between members (automanaged). TLS to etcd, Consul
// and the like is a matter of their clients' configuration.
//
// A connection that is made lives until it breaks: a certificate that changes, or
// ends, counts at the next handshake. All processes of a cluster have TLS or none.
func WithTLS(source TLSSource, opts ...TLSOption) ConfigOption {
	t := &tlsConfig{source: source, often: actor.NewThrottle(1, time.Minute, nil)}
	for _, opt := range opts {
		opt(t)
	}
	return func(c *Config) { c.tls = t }
}

// WithPeerName asks for certificates that hold for the DNS name given, instead of
// for the host of the peer's address: for processes whose addresses come and go, as
// pods', and who share one certificate, or have one each with a name in common. Who
// has such a certificate may call itself by any address.
func WithPeerName(name string) TLSOption {
	return func(t *tlsConfig) { t.name = name }
}

// TLS returns what [WithTLS] made of the source, for other transports of the same
// processes; nil without it.
func (c *Config) TLS() *driver.TLS {
	if c.tls == nil {
		return nil
	}
	return &driver.TLS{Server: c.tls.server(), Client: c.tls.client, Proves: c.tls.proves}
}

// tlsConfig is TLS between processes.
type tlsConfig struct {
	source TLSSource
	name   string // "": the host of the peer's address
	log    atomic.Pointer[slog.Logger]
	often  actor.ShouldThrottle
}

func (t *tlsConfig) check() error {
	if t.source == nil {
		return errors.New("WithTLS takes a source of certificates, such as TLSFiles")
	}
	_, _, err := t.material()
	return err
}

// material is what the source gives, or why it is of no use.
func (t *tlsConfig) material() (*tls.Certificate, *x509.CertPool, error) {
	certificate, authorities, err := t.source()
	switch {
	case err != nil && (certificate == nil || authorities == nil):
		return nil, nil, fmt.Errorf("the certificate of this process: %w", err)
	case certificate == nil || len(certificate.Certificate) == 0 || certificate.PrivateKey == nil:
		return nil, nil, errors.New("the source of WithTLS gave no certificate with a key")
	case authorities == nil:
		return nil, nil, errors.New("the source of WithTLS gave no authorities")
	}
	if err != nil {
		t.tell(err)
	}
	return certificate, authorities, nil
}

// tell passes on why a certificate could not be renewed.
func (t *tlsConfig) tell(err error) {
	if log := t.log.Load(); log != nil && t.often() != actor.Closed {
		log.Warn("remote: the certificate of this process, or its authorities, cannot be read anew; those from before are used as long as they last", "error", err)
	}
}

// own says why others will not take the certificate of this process, which is known by
// the host.
func (t *tlsConfig) own(host string) error {
	certificate, authorities, err := t.material()
	if err != nil {
		return err
	}
	chain := make([]*x509.Certificate, len(certificate.Certificate))
	for i, der := range certificate.Certificate {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return err
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := verifyChain(chain, authorities, usage, cmp.Or(t.name, host)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tlsConfig) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, _, err := t.material()
			return certificate, err
		},
		// Whose certificate it is, is looked at by verify: authorities change.
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error { return t.verify(s, x509.ExtKeyUsageClientAuth, t.name) },
	}
}

func (t *tlsConfig) client(names ...string) *tls.Config {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	if t.name != "" {
		names = []string{t.name}
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			certificate, _, err := t.material()
			return certificate, err
		},
		// The standard check would go by the authorities of the moment when this
		// was made. VerifyConnection does the same by those of now.
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(names) == 0 {
				return errors.New("nobody knows for which host the certificate is to hold")
			}
			return t.verify(s, x509.ExtKeyUsageServerAuth, names...)
		},
	}
	if len(names) > 0 {
		c.ServerName = names[0]
	}
	return c
}

// verify checks the peer's certificate: its authority, its time, its use, and that it
// holds for one of the names, unless the only one is "".
func (t *tlsConfig) verify(s tls.ConnectionState, usage x509.ExtKeyUsage, names ...string) error {
	_, authorities, err := t.material()
	if err != nil {
		return err
	}
	if len(s.PeerCertificates) == 0 {
		return errors.New("the peer has shown no certificate")
	}
	if err := verifyChain(s.PeerCertificates, authorities, usage, names...); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}

func verifyChain(chain []*x509.Certificate, authorities *x509.CertPool, usage x509.ExtKeyUsage, names ...string) (err error) {
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	for _, name := range names {
		if _, err = chain[0].Verify(x509.VerifyOptions{
			Roots: authorities, Intermediates: intermediates,
			DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: time.Now(),
		}); err == nil {
			return nil
		}
	}
	return err
}

// proves says why the process at the other end of a connection may not call itself by
// an address at the host.
func (t *tlsConfig) proves(state tls.ConnectionState, host string) error {
	if t.name != "" {
		return nil // which it has
	}
	if len(state.PeerCertificates) == 0 {
		return errors.New("it has shown no certificate")
	}
	return state.PeerCertificates[0].VerifyHostname(host)
}

// provesAddress says why the process at the other end of a connection may not call
// itself by the address.
func (r *Remote) provesAddress(ctx context.Context, address string) error {
	if r.config.tls == nil {
		return nil
	}
	p, _ := grpcpeer.FromContext(ctx)
	if p == nil {
		return errors.New("nothing is known of the peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil // credentials that the user has given by WithServerOptions
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	return r.config.tls.proves(info.State, host)
}

// warnOfCertificate says at the start that others will refuse this process.
func (r *Remote) warnOfCertificate(address string) {
	if r.config.tls == nil {
		return
	}
	host, _, _ := net.SplitHostPort(address) // was checked
	if err := r.config.tls.own(host); err != nil {
		r.logger.Warn("remote: other processes will refuse the certificate of this one", "address", address, "error", err)
	}
}

// serverCredentials are those of the listener.
func (r *Remote) serverCredentials() credentials.TransportCredentials {
	if r.config.tls == nil {
		return insecure.NewCredentials()
	}
	return &serverTLS{
		TransportCredentials: credentials.NewTLS(r.config.tls.server()), remote: r,
		often: actor.NewThrottle(tlsWarnings, tlsWarnings*time.Second, nil),
	}
}

// tlsWarnings is how many handshakes that failed are told of within as many
// seconds: anybody can make them.
const tlsWarnings = 5

// serverTLS tells of handshakes that fail, which gRPC keeps to itself.
type serverTLS struct {
	credentials.TransportCredentials
	remote *Remote
	often  actor.ShouldThrottle
}

// ServerHandshake implements [credentials.TransportCredentials].
func (s *serverTLS) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	held := &heldConn{Conn: raw, holding: true}
	conn, info, err := s.TransportCredentials.ServerHandshake(held)
	held.holding = false
	if errors.Is(err, io.EOF) { // somebody who only looks whether there is a listener
		_ = raw.Close()
		return conn, info, err
	}
	if err != nil {
		s.remote.stats.refused.Add(1)
		if s.often() != actor.Closed {
			s.remote.logger.Warn("remote: a connection was refused: no TLS, or a certificate that does not count here",
				"peer", raw.RemoteAddr(), "error", explainTLS(err))
		}
		letAlertOut(raw)
	}
	return conn, info, err
}

// heldConn is not closed by a handshake that fails.
type heldConn struct {
	net.Conn
	holding bool
}

// Close implements [net.Conn].
func (c *heldConn) Close() error {
	if c.holding {
		return nil
	}
	return c.Conn.Close()
}

// letAlertOut reads what the peer has sent after the handshake failed: a connection
// that is closed before is reset, and the alert that says why may be lost.
func letAlertOut(raw net.Conn) {
	const moment, enough = 250 * time.Millisecond, 64 << 10
	if raw.SetReadDeadline(time.Now().Add(moment)) == nil {
		_, _ = io.CopyN(io.Discard, raw, enough)
	}
	_ = raw.Close()
}

// Clone implements [credentials.TransportCredentials].
func (s *serverTLS) Clone() credentials.TransportCredentials {
	c := *s
	c.TransportCredentials = s.TransportCredentials.Clone()
	return &c
}

// clientCredentials are those of one attempt to connect.
func (r *Remote) clientCredentials(address string, network *reach) credentials.TransportCredentials {
	if r.config.tls == nil {
		return insecure.NewCredentials()
	}
	host, _, _ := net.SplitHostPort(address) // was checked
	return &clientTLS{TransportCredentials: credentials.NewTLS(r.config.tls.client(host)), network: network}
}

// clientTLS keeps why a handshake failed, which gRPC makes a text of.
type clientTLS struct {
	credentials.TransportCredentials
	network *reach
}

// ClientHandshake implements [credentials.TransportCredentials].
func (c *clientTLS) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		why := explainTLS(err)
		c.network.failure.Store(&why)
		return conn, info, err
	}
	return &alertConn{conn, c.network}, info, nil
}

// alertConn keeps the alert by which the peer refuses our certificate: it comes
// when the handshake is over on this side.
type alertConn struct {
	net.Conn
	network *reach
}

// Read implements [net.Conn].
func (c *alertConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && strings.Contains(err.Error(), "remote error: tls") {
		why := explainTLS(err)
		c.network.failure.Store(&why)
	}
	return n, err
}

// Clone implements [credentials.TransportCredentials].
func (c *clientTLS) Clone() credentials.TransportCredentials {
	return &clientTLS{TransportCredentials: c.TransportCredentials.Clone(), network: c.network}
}

// explainTLS says what to do about a handshake that failed.
func explainTLS(err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return fmt.Errorf("TLS: the peer does not speak it; all processes of a cluster need WithTLS, or none: %w", err)
	case strings.Contains(err.Error(), "remote error: tls"): // its type is not exported
		return fmt.Errorf("TLS: the peer refused the certificate of this process: %w", err)
	default:
		return fmt.Errorf("TLS: %w", err)
	}
}
