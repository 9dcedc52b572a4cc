package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/redis/go-redis/v9"

	"github.com/granary-go/granary/cluster/driver"
)

// Store is a [driver.FencedStore] on Redis.
type Store struct {
	client redis.UniversalClient
	prefix string
}

var _ driver.FencedStore = (*Store)(nil)

// New makes a store of the hashes whose keys begin with the prefix and a colon; nothing else may write them. The client
// stays the caller's, who closes it after the last call.
func New(client redis.UniversalClient, prefix string) *Store {
	return &Store{client: client, prefix: prefix}
}

// Open implements [driver.FencedStore]. It writes the token in any case: what is still on its way finds another version.
func (s *Store) Open(ctx context.Context, id driver.Identity, f driver.Fence) (value []byte, err error) {
	err = s.change(ctx, id, f, func(old []byte) []byte {
		value = old
		return old
	})
	if err != nil {
		return nil, fmt.Errorf("redisstore: open the state of %v with token %v: %w", id, f, err)
	}
	return value, nil
}

// Write implements [driver.FencedStore].
func (s *Store) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	if err := s.change(ctx, id, f, func([]byte) []byte { return value }); err != nil {
		return fmt.Errorf("redisstore: write the state of %v with token %v: %w", id, f, err)
	}
	return nil
}

// change replaces a value under a token. It reads and tries again when somebody was quicker, who may have brought a larger
// token.
func (s *Store) change(ctx context.Context, id driver.Identity, f driver.Fence, next func(old []byte) []byte) error {
	for {
		old, err := s.read(ctx, id, f)
		if err != nil {
			return err
		}
		if done, err := s.replace(ctx, id, f, old.version, next(old.value)); done || err != nil {
			return err
		}
	}
}

// stored is a hash as it was read.
type stored struct {
	version string // empty if there is no hash
	value   []byte // nil if there is none
}

// read reads the hash of an identity, and fails with [driver.ErrFenced] if a larger token than f has written it.
func (s *Store) read(ctx context.Context, id driver.Identity, f driver.Fence) (stored, error) {
	fields, err := s.client.HMGet(ctx, s.key(id), "token", "version", "value").Result()
	if err != nil {
		return stored{}, err
	}
	token, _ := fields[0].(string) // a field that is not there is nil
	version, _ := fields[1].(string)
	if token > f.String() { // the order of the texts is the order of the tokens
		return stored{}, driver.ErrFenced
	}
	old := stored{version: version}
	if value, ok := fields[2].(string); ok {
		old.value = []byte(value)
	}
	return old, nil
}

// replaceScript: KEYS hash; ARGV the version that was read, token, and the value if there is one. It writes nothing if
// somebody has written since.
var replaceScript = redis.NewScript(`
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'token', ARGV[2])
if ARGV[3] then redis.call('HSET', KEYS[1], 'value', ARGV[3]) else redis.call('HDEL', KEYS[1], 'value') end
return 1
`)

// replace writes the hash, and is false if it is not as it was read.
func (s *Store) replace(ctx context.Context, id driver.Identity, f driver.Fence, version string, value []byte) (done bool, err error) {
	args := []any{version, f.String()}
	if value != nil {
		args = append(args, value)
	}
	n, err := replaceScript.Run(ctx, s.client, []string{s.key(id)}, args...).Int()
	if err != nil {
		return false, err
	}
	return n == 1, nil
}

// key gives the key of an identity. The kind is escaped, so that two identities never share one.
func (s *Store) key(id driver.Identity) string {
	return s.prefix + ":" + url.PathEscape(id.Kind) + "/" + id.Name
}

// Value tells what is stored of an identity, for people; nil if that is nothing.
func (s *Store) Value(ctx context.Context, id driver.Identity) ([]byte, error) {
	value, err := s.client.HGet(ctx, s.key(id), "value").Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return value, err
}
