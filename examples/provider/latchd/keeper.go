package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"sync"
	"time"
)

var (
	errChanged = errors.New("the key has another revision")
	errGone    = errors.New("the key is gone")
)

// entry is a key with its value.
type entry struct {
	Revision uint64        `json:"revision"`
	Value    []byte        `json:"value"`
	TTL      time.Duration `json:"ttl,omitempty"`
	// ends removes it when it is not renewed; nil without a TTL.
	ends *time.Timer
}

// bucket is a set of keys with a revision.
type bucket struct {
	Revision uint64           `json:"revision"`
	Keys     map[string]entry `json:"keys"`
	changed  chan struct{}    // closed by the next change
}

// keeper keeps all buckets, in memory and in a file.
type keeper struct {
	file string

	mu      sync.Mutex // guards the fields below
	buckets map[string]*bucket
}

// load reads what an earlier run has kept. No file is none.
func load(file string) (*keeper, error) {
	k := &keeper{file: file, buckets: map[string]*bucket{}}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k.buckets)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, b := range k.buckets {
		b.changed = make(chan struct{})
		for key, e := range b.Keys {
			b.Keys[key] = k.timed(name, key, e)
		}
	}
	return k, err
}

func (k *keeper) bucket(name string) *bucket {
	b := k.buckets[name]
	if b == nil {
		b = &bucket{Revision: 1, Keys: map[string]entry{}, changed: make(chan struct{})}
		k.buckets[name] = b
	}
	return b
}

func (k *keeper) list(name string) bucket {
	b, _ := k.watch(name)
	return b
}

// watch gives a copy of a bucket, and a channel that is closed when it changes.
func (k *keeper) watch(name string) (bucket, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.bucket(name)
	return bucket{Revision: b.Revision, Keys: maps.Clone(b.Keys)}, b.changed
}

// change gives a bucket its next revision. What do does is kept when change returns, and then seen by those who wait.
func (k *keeper) change(b *bucket, do func(revision uint64)) error {
	b.Revision++
	do(b.Revision)
	text, err := json.Marshal(k.buckets)
	if err == nil {
		err = os.WriteFile(k.file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(k.file+".new", k.file)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return err
}

// timed makes an entry with a TTL end when that is over.
func (k *keeper) timed(name, key string, e entry) entry {
	if e.TTL > 0 {
		e.ends = time.AfterFunc(e.TTL, func() { k.expire(name, key, e.Revision) })
	}
	return e
}

func (k *keeper) put(name, key string, since uint64, value []byte, ttl time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.bucket(name)
	if b.Keys[key].Revision != since {
		return errChanged
	}
	return k.change(b, func(revision uint64) {
		k.stop(b, key)
		b.Keys[key] = k.timed(name, key, entry{Revision: revision, Value: value, TTL: ttl})
	})
}

func (k *keeper) renew(name, key string) (time.Duration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.bucket(name).Keys[key]
	// A timer that has fired waits for the lock, and takes the key.
	if e.ends == nil || !e.ends.Stop() {
		return 0, errGone
	}
	e.ends.Reset(e.TTL)
	return e.TTL, nil
}

func (k *keeper) stop(b *bucket, key string) {
	if e := b.Keys[key]; e.ends != nil {
		e.ends.Stop()
	}
	delete(b.Keys, key)
}

func (k *keeper) remove(name, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.bucket(name)
	return k.change(b, func(uint64) { k.stop(b, key) })
}

func (k *keeper) expire(name, key string, revision uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b := k.bucket(name); b.Keys[key].Revision == revision {
		_ = k.change(b, func(uint64) { delete(b.Keys, key) }) // the file has it a little longer, with its whole TTL
	}
}

func (k *keeper) empty() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for _, b := range k.buckets {
		errs = append(errs, k.change(b, func(uint64) {
			for key := range b.Keys {
				k.stop(b, key)
			}
		}))
	}
	return errors.Join(errs...)
}
