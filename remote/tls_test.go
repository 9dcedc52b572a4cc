package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/granary-go/granary/internal/certtest"
)

// papers are a TLSSource that a test changes.
type papers struct {
	certificate atomic.Pointer[tls.Certificate]
	authorities atomic.Pointer[x509.CertPool]
}

func papersOf(certificate *tls.Certificate, trusted ...*certtest.Authority) *papers {
	p := &papers{}
	p.change(certificate, trusted...)
	return p
}

func (p *papers) change(certificate *tls.Certificate, trusted ...*certtest.Authority) {
	p.certificate.Store(certificate)
	p.authorities.Store(certtest.Pool(trusted...))
}

func (p *papers) source() (*tls.Certificate, *x509.CertPool, error) {
	return p.certificate.Load(), p.authorities.Load(), nil
}

// secured runs f in a bubble with a network and an authority.
func secured(t *testing.T, f func(t *testing.T, n *memNetwork, ca *certtest.Authority)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newMemNetwork(), certtest.NewAuthority(t)) })
}

// Hosts of tests in which a handshake fails: the two sides then write at the same
// time, for which the pipes of a network in memory have no room.
const (
	hostA = "127.0.0.1"
	hostB = "127.0.0.2"
	hostC = "127.0.0.3"
)

func TestTLS(t *testing.T) {
	secured(t, func(t *testing.T, n *memNetwork, ca *certtest.Authority) {
		a := startProcess(t, n.on("a", 1, WithTLS(papersOf(ca.Issue("a"), ca).source)))
		b := startProcess(t, n.on("10.0.0.2", 1, WithTLS(papersOf(ca.Issue("10.0.0.2"), ca).source)))
		a.mustAsk(b.echo("echo"), "there")
		b.mustAsk(a.echo("echo"), "and back")
		if b.remote.config.TLS() == nil {
			t.Error("Config.TLS gives nothing")
		}
		if n.on("c", 1).TLS() != nil {
			t.Error("Config.TLS gives something without TLS")
		}
	})
}

// Whose certificate does not count gets nowhere, is told why where the message was
// sent, and the process that it wanted to reach tells of it and serves others.
func TestTLSThatIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		dialler func(ca *certtest.Authority) []ConfigOption // who asks a
		sender  string                                      // what it is told
		asked   string                                      // what a logs; "" if it cannot know
	}{
		"expired": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(ca.IssueFor(-2*time.Hour, -time.Hour, hostB), ca)
		}, "certificate", "expired"},
		"not valid yet": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(ca.IssueFor(time.Hour, 2*time.Hour, hostB), ca)
		}, "certificate", "not yet valid"},
		"unknown authority": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(certtest.NewAuthority(ca.T()).Issue(hostB), ca)
		}, "certificate", "unknown authority"},
		"for servers only": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(ca.IssueServer(hostB), ca)
		}, "certificate", "incompatible key usage"},
		"who does not know the authority of the other": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(ca.Issue(hostB), certtest.NewAuthority(ca.T()))
		}, "unknown authority", ""},
		"no TLS": {func(*certtest.Authority) []ConfigOption { return nil }, "WithTLS", "does not speak it"},
		"no certificate": {func(ca *certtest.Authority) []ConfigOption {
			return []ConfigOption{WithDialOptions(grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
				RootCAs: certtest.Pool(ca), ServerName: hostA,
			})))}
		}, "cannot reach", "certificate"},
		"the address of somebody else": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(ca.Issue(hostC), ca)
		}, "not one for its address", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ca := certtest.NewAuthority(t)
			a := startProcess(t, Configure(hostA, 0, WithTLS(papersOf(ca.Issue(hostA), ca).source)))
			a.echo("echo")
			b := startProcess(t, Configure(hostB, 0, tt.dialler(ca)...))
			b.wantDeadLetter(a.at("echo"), text("x"), tt.sender)
			a.logs.await(t, tt.asked)
			c := startProcess(t, Configure(hostC, 0, WithTLS(papersOf(ca.Issue(hostC), ca).source)))
			c.mustAsk(a.at("echo"), "in good health")
		})
	}
}

// await waits for a line of the log, which a goroutine of the listener writes.
func (b *logBook) await(t *testing.T, text string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 5000 {
		if b.has(text) {
			return
		}
		<-tick.C
	}
	t.Errorf("the log does not say %q", text)
}

func tlsOf(certificate *tls.Certificate, trusted ...*certtest.Authority) []ConfigOption {
	return []ConfigOption{WithTLS(papersOf(certificate, trusted...).source)}
}

// A process whose certificate does not hold is not sent to.
func TestTLSOfAPeerThatDoesNotCount(t *testing.T) {
	for name, tt := range map[string]struct {
		peer func(ca *certtest.Authority) []ConfigOption
		want string
	}{
		"expired": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(ca.IssueFor(-2*time.Hour, -time.Hour, hostB), ca)
		}, "expired"},
		"another host": {func(ca *certtest.Authority) []ConfigOption { return tlsOf(ca.Issue(hostC), ca) }, "not 127.0.0.2"},
		"unknown authority": {func(ca *certtest.Authority) []ConfigOption {
			return tlsOf(certtest.NewAuthority(ca.T()).Issue(hostB), ca)
		}, "unknown authority"},
		"no TLS": {func(*certtest.Authority) []ConfigOption { return nil }, "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			ca := certtest.NewAuthority(t)
			a := startProcess(t, Configure(hostA, 0, WithTLS(papersOf(ca.Issue(hostA), ca).source)))
			b := startProcess(t, Configure(hostB, 0, tt.peer(ca)...))
			a.wantDeadLetter(b.echo("echo"), text("x"), tt.want)
		})
	}
}

// Processes that share a certificate know each other by its name, at any address.
func TestTLSByPeerName(t *testing.T) {
	secured(t, func(t *testing.T, n *memNetwork, ca *certtest.Authority) {
		on := func(host string, names ...string) *Config {
			return n.on(host, 1, WithTLS(papersOf(ca.Issue(names...), ca).source, WithPeerName("granary.internal")))
		}
		a, b := startProcess(t, on("a", "granary.internal")), startProcess(t, on("b", "granary.internal", "b"))
		a.mustAsk(b.echo("echo"), "there")
		b.mustAsk(a.echo("echo"), "and back")
	})
	ca := certtest.NewAuthority(t)
	on := func(host string, names ...string) *Config {
		return Configure(host, 0, WithTLS(papersOf(ca.Issue(names...), ca).source, WithPeerName("granary.internal")))
	}
	a, b := startProcess(t, on(hostA, "granary.internal")), startProcess(t, on(hostB, hostB))
	b.wantDeadLetter(a.echo("echo"), text("x"), "certificate")
	a.wantDeadLetter(b.echo("echo"), text("x"), "to match granary.internal")
}

// Certificates and authorities are exchanged while processes run: what is new counts
// at the next connection, and what is old no longer.
func TestTLSRotation(t *testing.T) {
	secured(t, func(t *testing.T, n *memNetwork, old *certtest.Authority) {
		hosts := []string{"a", "b", "c"}
		next := certtest.NewAuthority(t)
		all := make([]*papers, len(hosts))
		processes := make([]*process, len(hosts))
		for i, host := range hosts {
			all[i] = papersOf(old.Issue(host), old)
			processes[i] = startProcess(t, n.on(host, 1, WithTLS(all[i].source)))
			processes[i].echo("echo")
		}
		talk := func() {
			t.Helper()
			for _, from := range processes {
				for _, to := range processes {
					if from != to {
						from.remote.Disconnect(to.remote.Address())
						<-time.After(time.Minute) // until it may be reached again
						from.mustAsk(to.at("echo"), "x")
					}
				}
			}
		}
		talk()
		for i, host := range hosts { // both count
			all[i].change(all[i].certificate.Load(), old, next)
			talk()
			all[i].certificate.Store(old.Issue(host))
		}
		for i, host := range hosts {
			all[i].change(next.Issue(host), old, next)
			talk()
		}
		for i := range hosts {
			all[i].change(all[i].certificate.Load(), next)
			talk()
		}
	})
}

func TestTLSSourcesThatGiveNothing(t *testing.T) {
	ca := certtest.NewAuthority(t)
	certificate, pool := ca.Issue(hostA), certtest.Pool(ca)
	broken := errors.New("the vault is closed")
	for want, source := range map[string]TLSSource{
		"takes a source":      nil,
		"vault is closed":     func() (*tls.Certificate, *x509.CertPool, error) { return nil, nil, broken },
		"gave no certificate": func() (*tls.Certificate, *x509.CertPool, error) { return nil, pool, nil },
		"with a key": func() (*tls.Certificate, *x509.CertPool, error) {
			return &tls.Certificate{Certificate: certificate.Certificate}, pool, nil
		},
		"gave no authorities": func() (*tls.Certificate, *x509.CertPool, error) { return certificate, nil, nil },
		"missing.crt":         TLSFiles("missing.crt", "missing.key", "missing.ca"),
	} {
		err := newProcess(t, Configure(hostA, 0, WithTLS(source))).remote.Start()
		if !errors.Is(err, ErrBadConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	failing := false // from the second time on
	a := startProcess(t, Configure(hostA, 0, WithTLS(func() (*tls.Certificate, *x509.CertPool, error) {
		if failing {
			return nil, nil, broken
		}
		return certificate, pool, nil
	})))
	failing = true
	b := startProcess(t, Configure(hostB, 0, WithTLS(papersOf(ca.Issue(hostB), ca).source)))
	a.wantDeadLetter(b.echo("echo"), text("x"), "vault is closed")
	b.wantDeadLetter(a.echo("echo"), text("x"), "cannot reach")
	a.logs.await(t, "vault is closed")
}

func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	files := certtest.FilesIn(dir)
	synctest.Test(t, func(t *testing.T) {
		ca, next := certtest.NewAuthority(t), certtest.NewAuthority(t)
		source := TLSFiles(files.Certificate, files.Key, files.Authorities)
		holds := func(want *tls.Certificate, by *certtest.Authority) {
			t.Helper()
			got, pool, err := source() // an error beside them is to be told
			if got == nil || pool == nil {
				t.Fatal(err)
			}
			if string(got.Certificate[0]) != string(want.Certificate[0]) {
				t.Error("another certificate")
			}
			leaf, err := x509.ParseCertificate(want.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: time.Now()}); err != nil {
				t.Errorf("the authorities: %v; want those with %v", err, by)
			}
		}
		if _, _, err := source(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "tls.crt") {
			t.Error("no files:", err)
		}
		first := ca.Issue("a")
		files.Write(t, first, ca)
		holds(first, ca)

		second := next.Issue("a", "and a name that makes the file longer")
		files.Write(t, second, next)
		holds(first, ca) // it does not look at every handshake
		<-time.After(TLSFilesCheck)
		holds(second, next)

		for _, path := range []string{files.Key, files.Certificate, files.Authorities} {
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for name, content := range map[string][]byte{"half": whole[:len(whole)/2], "garbage": []byte("garbage"), "empty": nil} {
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				<-time.After(TLSFilesCheck)
				holds(second, next)
				if _, _, err := TLSFiles(files.Certificate, files.Key, files.Authorities)(); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
					t.Errorf("%s of %s: %v", name, filepath.Base(path), err)
				}
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			<-time.After(TLSFilesCheck)
			holds(second, next)
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		third := next.Issue("a", "and another name that makes it even longer than before")
		files.Write(t, third, next)
		<-time.After(TLSFilesCheck)
		holds(third, next)
	})
}

// A process whose certificate others will not take is told so when it starts.
func TestTLSOfItsOwn(t *testing.T) {
	const warning = "will refuse the certificate"
	ca := certtest.NewAuthority(t)
	for name, tt := range map[string]struct {
		certificate *tls.Certificate
		warns       bool
	}{
		"fits":              {ca.Issue(hostA), false},
		"another host":      {ca.Issue(hostB), true},
		"for servers only":  {ca.IssueServer(hostA), true},
		"expired":           {ca.IssueFor(-2*time.Hour, -time.Hour, hostA), true},
		"another authority": {certtest.NewAuthority(t).Issue(hostA), true},
	} {
		p := startProcess(t, Configure(hostA, 0, WithTLS(papersOf(tt.certificate, ca).source)))
		if p.logs.has(warning) != tt.warns {
			t.Errorf("%s: warned: %v", name, !tt.warns)
		}
	}
}

// Files that can no longer be read are told of, and what was read before counts.
func TestTLSFilesThatBreak(t *testing.T) {
	ca, second := certtest.NewAuthority(t), certtest.NewAuthority(t)
	files := certtest.FilesIn(t.TempDir())
	files.Write(t, ca.Issue(hostA, hostB), ca, second)
	source := TLSFiles(files.Certificate, files.Key, files.Authorities)
	a := startProcess(t, Configure(hostA, 0, WithTLS(source)))
	whole, err := os.ReadFile(files.Authorities)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.Authorities, whole[:len(whole)-40], 0o600); err != nil { // the second is cut off
		t.Fatal(err)
	}
	if _, _, err := TLSFiles(files.Certificate, files.Key, files.Authorities)(); err == nil || !strings.Contains(err.Error(), "ca.crt") {
		t.Errorf("half a file was taken for whole: %v", err)
	}
	<-time.After(TLSFilesCheck)
	b := startProcess(t, Configure(hostB, 0, WithTLS(papersOf(second.Issue(hostB), ca, second).source)))
	b.mustAsk(a.echo("echo"), "by the authority that is still known")
	a.logs.await(t, "cannot be read anew")
}
