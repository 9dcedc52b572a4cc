package zk

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/zk/zktest"
	"github.com/granary-go/granary/internal/membertest"
)

const secret = "correct-horse"

// logged makes a request whose logger is looked at in the end: no secret may be in it.
func logged(t *testing.T, id driver.MemberID) driver.Request {
	t.Helper()
	j := new(membertest.Journal)
	r := membertest.Request(id, "127.0.0.1:1")
	r.Logger = j.Logger()
	t.Cleanup(func() {
		if strings.Contains(j.String(), secret) {
			t.Errorf("the log has a secret in it: %s", j)
		}
	})
	return r
}

// refused expects that nobody joins, for a reason that the error has these words of.
func refused(t *testing.T, p Provider, want ...string) {
	t.Helper()
	begun := time.Now()
	session, err := p.Join(within(t), logged(t, "refused"))
	if err == nil {
		session.Close()
		t.Fatal("Join succeeded")
	}
	for _, words := range want {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("Join: %v; want an error with %q", err, words)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error has a secret in it: %v", err)
	}
	if passed := time.Since(begun); passed > time.Minute { // a machine may be busy; nothing but the context, which has twice as long, would end it
		t.Errorf("Join took %v", passed)
	}
	t.Log(err)
}

func TestAuth(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	servers, ctx := []string{server.Address}, within(t)
	right := WithAuth("digest", []byte("granary:"+secret))
	session, err := New(servers, leased, right).Join(ctx, logged(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	first := &membertest.Process{ID: "a", Session: session}
	first.Holds(t, first)
	conn := admin(t, server.Address)
	marks, _, err := conn.Children("/granary/test/view")
	if !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("somebody else reads what is below the record: %q, %v", marks, err)
	}
	if err := conn.AddAuth("digest", []byte("granary:"+secret)); err != nil {
		t.Fatal(err)
	}
	if marks, _, err = conn.Children("/granary/test/view"); err != nil || len(marks) != 1 {
		t.Fatalf("below the record are %q, %v", marks, err)
	}
	want := zk.DigestACL(zk.PermAll, "granary", secret)
	for _, path := range []string{"", "/test", "/test/view", "/test/view/" + marks[0], "/test/members", "/test/members/a"} {
		if acl, _, err := conn.GetACL("/granary" + path); err != nil || !slices.Equal(acl, want) {
			t.Errorf("the rights of /granary%s are %v, %v; want %v", path, acl, err, want)
		}
	}
	r := logged(t, "b")
	r.Member.Address = "127.0.0.1:2"
	second, err := New(servers, leased, right).Join(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	first.Holds(t, first, &membertest.Process{ID: "b"})
	for name, opts := range map[string][]Option{
		"wrong": {WithAuth("digest", []byte("granary:"+secret+"-not"))},
		"none":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			p := New(servers, append(opts, leased)...)
			refused(t, p, "WithAuth", "/granary/test")
			watcher, err := p.Observe(ctx, logged(t, ""))
			if err == nil {
				_, err = watcher.Watch(ctx, 0)
				defer watcher.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "WithAuth") || strings.Contains(err.Error(), secret) {
				t.Errorf("Observe and Watch: %v; want an error that names WithAuth, and not the password", err)
			}
		})
	}
	t.Run("unknown scheme", func(t *testing.T) {
		refused(t, New(servers, leased, WithAuth("nonsense", []byte(secret))), "nonsense", "WithAuth")
	})
	if err := errors.Join(second.Close(), session.Close()); err != nil {
		t.Error(err)
	}
}

// A session that goes on at another connection presents its credentials again.
func TestAuthOverReconnection(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	proxy, ctx := zktest.NewProxy(t, server.Address), within(t)
	s, err := config{
		servers: []string{proxy.Address}, prefix: DefaultPrefix, dialer: tcp,
		auth: []credential{{"digest", []byte("granary:" + secret)}},
	}.open("test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	register(t, s, "a", 10*time.Second)
	for range 3 {
		proxy.Break()
		renewUntil(ctx, t, s, "the connection is made anew", succeeds)
		eventually(ctx, t, "read over a new connection", func() bool {
			got, err := s.Read(ctx)
			if err == nil && len(got.Alive) != 1 {
				t.Errorf("alive are %q", got.Alive)
			}
			return err == nil
		})
	}
}

// listen starts something that is no ZooKeeper.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	closing := listen(t, func(net.Conn) {})
	answers := func(answer []byte) string {
		return listen(t, func(c net.Conn) {
			_, _ = c.Write(answer)
			_, _ = io.Copy(io.Discard, c)
		})
	}
	zeros := answers(make([]byte, 1<<10))
	odd := answers(append([]byte{0, 0, 0, 37}, bytes.Repeat([]byte{0x7f}, 37)...))
	nothing := answers(append([]byte{0, 0, 0, 37, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 16}, make([]byte, 17)...))
	for name, c := range map[string]struct {
		server string
		want   []string
	}{
		"nobody listens":           {"127.0.0.1:1", []string{"connection refused", "2181"}},
		"no such host":             {"granary.invalid:2181", []string{"granary.invalid:2181", "no such host"}},
		"HTTP that waits for more": {web.Listener.Addr().String(), []string{"client ports"}},
		"HTTP that answers":        {answers([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), []string{`"HTTP"`, "no ZooKeeper"}},
		"TLS":                      {secure.Listener.Addr().String(), []string{"want TLS"}},
		"no answer":                {silent, []string{"a majority of the servers"}},
		"closes at once":           {closing, []string{"maxClientCnxns"}},
		"zeros":                    {zeros, []string{"no ZooKeeper"}},
		"an odd handshake":         {odd, []string{"no ZooKeeper"}},
		"a session of no time":     {nothing, []string{"no ZooKeeper"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := New([]string{c.server}, WithTTL(leaseTime), WithAuth("digest", []byte("a:"+secret)))
			refused(t, p, append(c.want, c.server)...)
		})
	}
}

// A server that opens a session and then breaks the connection, as one does that begins or ends, may serve a little later:
// the cluster's Start waits for it.
func TestConnectionThatEnds(t *testing.T) {
	t.Parallel()
	server, ctx := zktest.Start(t), within(t)
	address := listen(t, func(c net.Conn) {
		plain, err := tcp(ctx, "tcp", server.Address)
		if err != nil {
			return
		}
		defer plain.Close()
		go func() { _, _ = io.Copy(c, plain) }() // ends with the connection
		for range 2 {
			var length [4]byte
			if _, err := io.ReadFull(c, length[:]); err != nil {
				return
			}
			frame := make([]byte, 4+binary.BigEndian.Uint32(length[:]))
			copy(frame, length[:])
			if _, err := io.ReadFull(c, frame[4:]); err != nil || len(frame) < 44 { // which is no handshake
				return
			}
			_, _ = plain.Write(frame)
		}
	})
	_, err := New([]string{address}, leased).Join(ctx, logged(t, "a"))
	if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join: %v; want driver.ErrUnavailable", err)
	}
}

// A server that is there is found beside others that are not.
func TestOneOfThree(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	server := zktest.Start(t)
	for range 3 {
		p := start(t, 1, "127.0.0.1:1", silent, server.Address)
		if err := p.Session.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNonsenseIsAnErrorOfJoin(t *testing.T) {
	t.Parallel()
	refused(t, New(nil), "no servers")
	refused(t, New([]string{"http://127.0.0.1:2181"}), "without a scheme")
	refused(t, New([]string{"a:" + secret + "@127.0.0.1:2181"}), "WithAuth")
	refused(t, New([]string{"127.0.0.1"}, WithPrefix("/a/../b")), "no path")
	refused(t, New([]string{"127.0.0.1"}, WithTTL(time.Millisecond)), "lease time")
}

func TestJoinEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := New([]string{silent}).Join(ctx, membertest.Request("a", "127.0.0.1:1")); !errors.Is(err, context.Canceled) {
		t.Errorf("Join with a context that is done: %v; want context.Canceled", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server, ctx := zktest.Start(t), within(t)
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // whose certificate is used
	certified.Close()
	address := listen(t, func(c net.Conn) {
		plain, err := tcp(ctx, "tcp", server.Address)
		if err != nil {
			return
		}
		defer plain.Close()
		front := tls.Server(c, &tls.Config{Certificates: certified.TLS.Certificates})
		go func() { // ends with the connection
			_, _ = io.Copy(front, plain)
			_ = c.Close()
		}()
		_, _ = io.Copy(plain, front)
	})
	pool := x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: "example.com"}}
	session, err := New([]string{address}, leased, WithDialer(dialer.DialContext)).Join(ctx, membertest.Request("a", "127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	p := &membertest.Process{ID: "a", Session: session}
	p.Holds(t, p)
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	strange := &tls.Dialer{Config: &tls.Config{ServerName: "example.com", RootCAs: x509.NewCertPool()}}
	refused(t, New([]string{address}, leased, WithDialer(strange.DialContext)), "certificate", address)
}
