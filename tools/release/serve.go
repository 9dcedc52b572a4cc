package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// serve is a module proxy on the loopback: it has the modules of the house that are in a folder and no others, and gives
// the rest from the user's own module cache, or hands the question on to the proxy that the user has. It returns its URL.
func serve(ctx context.Context, folder string) (address string, stop func(), err error) {
	env, err := goEnv(ctx, "GOMODCACHE", "GOPROXY")
	if err != nil {
		return "", nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: moduleProxy(folder, env[0], env[1]), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { // ends when it is closed
		defer close(done)
		_ = server.Serve(listener)
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close() // what is under way is of no interest any more
		<-done
	}, nil
}

func moduleProxy(folder, cache, proxies string) http.Handler {
	here := http.FileServer(http.Dir(folder))
	downloads := filepath.Join(cache, "cache", "download")
	cached := http.FileServer(http.Dir(downloads))
	beyond := http.NotFoundHandler()
	first, _, _ := strings.Cut(strings.ReplaceAll(proxies, "|", ","), ",")
	if target, err := url.Parse(first); err == nil && target.Host != "" {
		beyond = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := filepath.Localize(strings.TrimPrefix(r.URL.Path, "/"))
		_, missing := os.Stat(filepath.Join(downloads, file))
		switch {
		case err != nil, ours(strings.TrimPrefix(r.URL.Path, "/")):
			here.ServeHTTP(w, r)
		case missing == nil && strings.Contains(file, "@v") && filepath.Base(file) != "list":
			cached.ServeHTTP(w, r)
		default:
			beyond.ServeHTTP(w, r)
		}
	})
}

func goEnv(ctx context.Context, names ...string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	values := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(values) != len(names) {
		return nil, errors.New("go env does not give one line for each name")
	}
	return values, nil
}

// customer is somebody who has nothing but Go and a module proxy: no module cache, no workspace.
type customer struct {
	dir string // of their own
	env []string
}

// newCustomer makes one in a folder. The sums of what is not of the house were checked when it came to the user's own
// module cache, and go.sum has them where it counts; a database of sums knows nothing of a version that is not out.
func newCustomer(dir, proxy string) customer {
	return customer{dir, append(os.Environ(),
		"GOPROXY="+proxy, "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-modcacherw -trimpath", "GOTOOLCHAIN=local",
		"GOBIN="+filepath.Join(dir, "bin"), "GOMODCACHE="+filepath.Join(dir, "modules"))}
}

// run runs a program in the customer's folder, and returns what it prints.
func (c customer) run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// try installs the command granary as users do, from what is in the folder of a proxy, and returns what it says its
// version is, which is an error if that is another.
func try(ctx context.Context, folder, version string) (says string, err error) {
	address, stop, err := serve(ctx, folder)
	if err != nil {
		return "", err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "granary-install-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := newCustomer(dir, address)
	if _, err := c.run(ctx, "go", "install", modulePath+"/cmd/granary@"+version); err != nil {
		return "", err
	}
	says, err = c.run(ctx, filepath.Join(dir, "bin", "granary"), "version")
	if err == nil && !strings.HasPrefix(says, "granary "+version+",") {
		err = fmt.Errorf("granary version says %q, and it is %s", says, version)
	}
	return says, err
}
