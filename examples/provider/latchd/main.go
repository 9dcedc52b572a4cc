package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "the address to listen at")
	file := flag.String("file", "", "where the keys are kept")
	flag.Parse()
	if err := serve(*listen, *file); err != nil {
		fmt.Fprintln(os.Stderr, "latchd:", err)
		os.Exit(1)
	}
}

func serve(address, file string) error {
	k, err := load(file)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening at", listener.Addr())
	return (&http.Server{Handler: handler(k), ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}

const (
	maxValue = 4 << 20
	maxWait  = time.Minute
)

func handler(k *keeper) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/{bucket}", func(w http.ResponseWriter, r *http.Request) {
		not, err := strconv.ParseUint(r.FormValue("not"), 10, 64)
		if r.FormValue("not") == "" {
			answer(w, k.list(r.PathValue("bucket")), nil)
			return
		}
		wait, waitErr := time.ParseDuration(r.FormValue("wait"))
		if err = errors.Join(err, waitErr); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		timer := time.NewTimer(min(wait, maxWait))
		defer timer.Stop()
		for {
			b, changed := k.watch(r.PathValue("bucket"))
			if b.Revision != not {
				answer(w, b, nil)
				return
			}
			select {
			case <-changed:
			case <-timer.C:
				answer(w, b, nil)
				return
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("GET /v1/{bucket}/{key}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, k.list(r.PathValue("bucket")).Keys[r.PathValue("key")], nil)
	})
	mux.HandleFunc("PUT /v1/{bucket}/{key}", func(w http.ResponseWriter, r *http.Request) {
		since, err := strconv.ParseUint(r.FormValue("if"), 10, 64)
		var ttl time.Duration
		if text := r.FormValue("ttl"); err == nil && text != "" {
			ttl, err = time.ParseDuration(text)
		}
		value, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
		if err = errors.Join(err, readErr); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, struct{}{}, k.put(r.PathValue("bucket"), r.PathValue("key"), since, value, ttl))
	})
	mux.HandleFunc("POST /v1/{bucket}/{key}", func(w http.ResponseWriter, r *http.Request) {
		ttl, err := k.renew(r.PathValue("bucket"), r.PathValue("key"))
		answer(w, map[string]string{"ttl": ttl.String()}, err)
	})
	mux.HandleFunc("DELETE /v1/{bucket}/{key}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, k.remove(r.PathValue("bucket"), r.PathValue("key")))
	})
	mux.HandleFunc("DELETE /v1/{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, struct{}{}, k.empty()) })
	return mux
}

func answer(w http.ResponseWriter, what any, err error) {
	switch {
	case errors.Is(err, errChanged):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, errGone):
		http.Error(w, err.Error(), http.StatusGone)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		_ = json.NewEncoder(w).Encode(what) //nolint:errchkjson // all of it can be encoded; maybe who asked has gone
	}
}
