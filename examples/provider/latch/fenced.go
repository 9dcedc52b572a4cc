package latch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/granary-go/granary/cluster/driver"
)

// FencedStore keeps the state of strict kinds in a bucket.
type FencedStore struct{ client client }

// NewFencedStore makes a store on a bucket of the service at an address. Close ends its connections.
func NewFencedStore(address, bucket string) *FencedStore {
	return &FencedStore{connect(address, "state "+bucket)}
}

// Close frees the connections. No call is under way.
func (f *FencedStore) Close() error {
	f.client.close()
	return nil
}

// fenced is what is in a key: the largest token that was seen, and the value.
type fenced struct {
	Fence driver.Fence `json:"fence"`
	Value []byte       `json:"value"`
}

// Open implements driver.FencedStore.
func (f *FencedStore) Open(ctx context.Context, id driver.Identity, token driver.Fence) ([]byte, error) {
	return f.change(ctx, id, token, func(value []byte) []byte { return value })
}

// Write implements driver.FencedStore. A deleted value leaves its token.
func (f *FencedStore) Write(ctx context.Context, id driver.Identity, token driver.Fence, value []byte) error {
	_, err := f.change(ctx, id, token, func([]byte) []byte { return value })
	return err
}

// change replaces the value unless the token is older than what was seen. That nobody was faster is told by the revision
// of the key, which a late write of an older activation does not have any more.
func (f *FencedStore) change(ctx context.Context, id driver.Identity, token driver.Fence, next func([]byte) []byte) ([]byte, error) {
	key := url.PathEscape(id.Kind) + "/" + url.PathEscape(id.Name) // kind and name may have slashes of their own
	for {
		var now entry
		if err := f.client.call(ctx, http.MethodGet, key, "", nil, &now); err != nil {
			return nil, err
		}
		var kept fenced
		if now.Revision > 0 {
			if err := json.Unmarshal(now.Value, &kept); err != nil {
				return nil, fmt.Errorf("latch: the key %q holds something else: %w", key, err)
			}
		}
		if kept.Fence.Compare(token) > 0 {
			return nil, driver.ErrFenced
		}
		value := next(kept.Value)
		data, err := json.Marshal(fenced{token, value})
		if err != nil {
			return nil, err
		}
		err = f.client.call(ctx, http.MethodPut, key, fmt.Sprintf("?if=%d", now.Revision), data, new(struct{}))
		if err = instead(err, http.StatusConflict, driver.ErrConflict); !errors.Is(err, driver.ErrConflict) {
			return value, err
		}
	}
}
