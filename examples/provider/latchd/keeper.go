package main

import (
	"encoding/json"
	"errors"
	"io"
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

// change is a line of the file: what a key has become, or that it is gone.
type change struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Gone   bool   `json:"gone,omitempty"`
	Entry  entry  `json:"entry"`
}

// keeper keeps all buckets, in memory and as changes in a file.
type keeper struct {
	mu      sync.Mutex // guards the fields below
	file    *os.File
	buckets map[string]*bucket
}

// load reads what an earlier run has kept. No file is none; a line that a crash has cut off was never acknowledged.
func load(name string) (*keeper, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	k := &keeper{file: file, buckets: map[string]*bucket{}}
	k.mu.Lock()
	defer k.mu.Unlock()
	lines := json.NewDecoder(file)
	whole := int64(0)
	for {
		var c change
		if err := lines.Decode(&c); err != nil {
			break
		}
		k.apply(c)
		whole = lines.InputOffset()
	}
	if err := file.Truncate(whole); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekEnd)
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

// change gives a bucket its next revision: it is in the file before anybody sees it.
func (k *keeper) change(c change) error {
	c.Entry.Revision = k.bucket(c.Bucket).Revision + 1
	if err := json.NewEncoder(k.file).Encode(c); err != nil {
		return err
	}
	k.apply(c)
	return nil
}

// apply makes a change in memory. A key with a TTL ends when that is over.
func (k *keeper) apply(c change) {
	b := k.bucket(c.Bucket)
	if e := b.Keys[c.Key]; e.ends != nil {
		e.ends.Stop()
	}
	delete(b.Keys, c.Key)
	if !c.Gone {
		e := c.Entry
		if e.TTL > 0 {
			e.ends = time.AfterFunc(e.TTL, func() { k.expire(c.Bucket, c.Key, e.Revision) })
		}
		b.Keys[c.Key] = e
	}
	b.Revision = c.Entry.Revision
	close(b.changed)
	b.changed = make(chan struct{})
}

func (k *keeper) put(name, key string, since uint64, value []byte, ttl time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bucket(name).Keys[key].Revision != since {
		return errChanged
	}
	return k.change(change{Bucket: name, Key: key, Entry: entry{Value: value, TTL: ttl}})
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

func (k *keeper) remove(name, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.change(change{Bucket: name, Key: key, Gone: true})
}

// expire removes a key that was not renewed. If that cannot be written, it is there again after a crash, with its whole TTL.
func (k *keeper) expire(name, key string, revision uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bucket(name).Keys[key].Revision == revision {
		_ = k.change(change{Bucket: name, Key: key, Gone: true})
	}
}

func (k *keeper) empty() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for name, b := range k.buckets {
		for key := range maps.Clone(b.Keys) {
			errs = append(errs, k.change(change{Bucket: name, Key: key, Gone: true}))
		}
	}
	return errors.Join(errs...)
}
