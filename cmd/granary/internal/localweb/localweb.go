// Package localweb serves pages to the browsers of this machine, and to nobody else.
//
//	listener, err := localweb.Listen(ctx, "127.0.0.1:0")
//	…
//	fmt.Println(localweb.URL(listener))
//	err = localweb.Serve(ctx, listener, handler)
package localweb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"time"
)

// closeWithin is how long requests may go on when the server is to end; streams are ended at once.
const closeWithin = 2 * time.Second

// Check says what is wrong with an address to listen at: it has to be one of the loopback.
func Check(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not on the loopback, as 127.0.0.1 is: whoever reached it would see the cluster; "+
			"from elsewhere, use 'ssh -L', or mount the dashboard in a program of yours, behind a login", address)
	}
	return nil
}

// Listen listens at an address of the loopback.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	if err := Check(address); err != nil {
		return nil, err
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// URL is where a browser finds what is served.
func URL(l net.Listener) string { return "http://" + l.Addr().String() + "/" }

// Serve serves until the context is done, and closes the listener. It returns when nothing is
// served any more.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	streams, end := context.WithCancel(ctx)
	defer end()
	server := &http.Server{
		Handler: named(h), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return streams },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		if server.Shutdown(bounded) != nil {
			_ = server.Close() // which cannot but end them
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// named refuses requests for other names than those of the loopback: a page from elsewhere whose
// name leads here would be of the same origin.
func named(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this is served to the browsers of this machine, as localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// openers are what opens a page in a browser.
var openers = map[string][]string{
	"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}, "linux": {"xdg-open"},
}

// Open opens a page in the user's browser, and does not wait for it.
func Open(ctx context.Context, url string) error {
	opener := openers[runtime.GOOS]
	if opener == nil {
		opener = openers["linux"]
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), opener[0], append(opener[1:], url)...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("no browser could be opened (%w): open %s yourself", err, url)
	}
	return cmd.Process.Release()
}
