package latch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// client calls a bucket of the service.
type client struct {
	http   *http.Client
	bucket string // its URL
}

func connect(address, bucket string) client {
	// A transport of its own, so that close ends its connections and nobody else's.
	return client{&http.Client{Transport: &http.Transport{}}, "http://" + address + "/v1/" + url.PathEscape(bucket)}
}

func (c client) close() { c.http.CloseIdleConnections() }

// entry is a key as the service shows it; bucket has all of them.
type entry struct {
	Revision uint64 `json:"revision"`
	Value    []byte `json:"value"`
}

type bucket struct {
	Revision uint64           `json:"revision"`
	Keys     map[string]entry `json:"keys"`
}

// refused is an answer that is none of success.
type refused struct {
	error

	status int
}

// call makes one call, once, and reads the answer. Its errors name the address: a url.Error does. That there was no answer
// may pass, so it is a driver.ErrUnavailable; that the service refuses may not.
func (c client) call(ctx context.Context, method, key, query string, value []byte, answer any) error {
	target := c.bucket
	if key != "" {
		target += "/" + url.PathEscape(key)
	}
	request, err := http.NewRequestWithContext(ctx, method, target+query, bytes.NewReader(value))
	if err != nil {
		return fmt.Errorf("latch: %w; the address has to be host:port", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("latch: %w: %w", driver.ErrUnavailable, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	switch {
	case err != nil:
		return fmt.Errorf("latch: %w: the answer to %s %s breaks off: %w", driver.ErrUnavailable, method, target, err)
	case response.StatusCode != http.StatusOK:
		err := fmt.Errorf("latch: %s %s: %s: %.200s", method, target, response.Status, strings.TrimSpace(string(text)))
		return refused{err, response.StatusCode}
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("latch: %s %s gives no answer of latchd's: %w", method, target, err)
	}
	return nil
}
