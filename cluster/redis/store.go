package redis

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/granary-go/granary/cluster/driver"
)

// tags is how many hash tags the identities of a cluster share.
const tags = 1024

// store is a [driver.EntryStore] on Redis, for one process.
type store struct {
	client  redis.UniversalClient
	owned   bool   // Close closes the client
	address string // for errors
	prefix  string
	cluster string // escaped
}

var _ driver.EntryStore = (*store)(nil)

// tagOf gives the tag of an identity. Which it is must not change, as it is part
// of the keys.
func tagOf(id driver.Identity) int {
	h := fnv.New32a()
	h.Write([]byte(field(id)))
	sum := h.Sum32()
	return int((sum ^ sum>>16) % tags)
}

// field names an identity within a tag. A kind has no slash.
func field(id driver.Identity) string { return id.Kind + "/" + id.Name }

func (s *store) key(tag int, what string) string {
	return fmt.Sprintf("%s:{%s:%03x}:%s", s.prefix, s.cluster, tag, what)
}

func (s *store) eraKey() string { return fmt.Sprintf("%s:{%s:era}:era", s.prefix, s.cluster) }

// Read implements driver.EntryStore.
func (s *store) Read(ctx context.Context, id driver.Identity) (driver.Entry, error) {
	value, err := s.client.HGet(ctx, s.key(tagOf(id), "entries"), field(id)).Result()
	if errors.Is(err, redis.Nil) {
		return driver.Entry{}, nil
	}
	if err != nil {
		return driver.Entry{}, s.explain(ctx, err)
	}
	return s.entry(id, value)
}

// Claim implements driver.EntryStore.
func (s *store) Claim(ctx context.Context, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	tag := tagOf(e.Identity)
	before, behind := encodeAround(e)
	said, err := s.run(ctx, claimScript, []string{s.key(tag, "mark"), s.key(tag, "counter"), s.key(tag, "entries")},
		eraText(e.Era), field(e.Identity), tokenText(over), before, hex(e.Era.Number), behind)
	if err != nil || said[0] == "era" {
		return driver.Entry{}, orEra(err)
	}
	there, err := s.entry(e.Identity, said[1])
	if err == nil && said[0] == "claimed" {
		err = driver.ErrClaimed
	}
	return there, err
}

// orEra is the error of a call that failed, or was refused.
func orEra(err error) error {
	if err != nil {
		return err
	}
	return driver.ErrEra
}

// Release implements driver.EntryStore.
func (s *store) Release(ctx context.Context, id driver.Identity, token driver.Fence) error {
	_, err := s.run(ctx, releaseScript, []string{s.key(tagOf(id), "entries")}, field(id), tokenText(token))
	return err
}

// Restore implements driver.EntryStore: with one call for each tag, all on their
// way at once.
func (s *store) Restore(ctx context.Context, entries []driver.Entry) (kept []driver.Entry, err error) {
	byTag := make(map[int][]any)
	var order []int
	for _, e := range entries {
		tag := tagOf(e.Identity)
		if byTag[tag] == nil {
			order = append(order, tag)
			byTag[tag] = []any{eraText(e.Era)}
		}
		before, behind := encodeAround(e)
		byTag[tag] = append(byTag[tag], field(e.Identity), tokenText(e.Token), before+tokenText(e.Token)+behind)
	}
	all, err := s.runEach(ctx, restoreScript, order, func(tag int) ([]string, []any) {
		return []string{s.key(tag, "mark"), s.key(tag, "entries")}, byTag[tag]
	})
	for _, said := range all {
		if err == nil && said[0] == "era" {
			err = driver.ErrEra
		}
		for i := 1; i+1 < len(said); i += 2 {
			e, bad := s.entry(identity(said[i]), said[i+1])
			kept, err = append(kept, e), errors.Join(err, bad)
		}
	}
	return kept, err
}

// Remove implements driver.EntryStore.
func (s *store) Remove(ctx context.Context, m driver.MemberID) error {
	_, err := s.runEach(ctx, removeScript, allTags(), func(tag int) ([]string, []any) {
		return []string{s.key(tag, "entries")}, []any{string(m)}
	})
	return err
}

// List implements driver.EntryStore. A cursor is the tag that comes next; a tag is
// given as a whole.
func (s *store) List(ctx context.Context, cursor string, limit int) (entries []driver.Entry, next string, err error) {
	tag := 0
	if cursor != "" {
		if tag, err = strconv.Atoi(cursor); err != nil || tag < 0 || tag >= tags {
			return nil, "", fmt.Errorf("redis: the cursor %q is none that List gave", cursor)
		}
	}
	for ; tag < tags; tag++ {
		if len(entries) >= limit {
			return entries, strconv.Itoa(tag), nil
		}
		all, err := s.client.HGetAll(ctx, s.key(tag, "entries")).Result()
		if err != nil {
			return nil, "", s.explain(ctx, err)
		}
		for name, value := range all {
			e, err := s.entry(identity(name), value)
			if err != nil {
				return nil, "", err
			}
			entries = append(entries, e)
		}
	}
	return entries, "", nil
}

// ReadEra implements driver.EntryStore.
func (s *store) ReadEra(ctx context.Context) (driver.Era, error) {
	fields, err := s.client.HGetAll(ctx, s.eraKey()).Result()
	if err != nil {
		return driver.Era{}, s.explain(ctx, err)
	}
	era, err := decodeEra(fields)
	if err != nil {
		return era, fmt.Errorf("redis: %s: the era record is malformed; delete the key %s, and the members begin a new one: %w", s.address, s.eraKey(), err)
	}
	return era, nil
}

// WriteEra implements driver.EntryStore.
func (s *store) WriteEra(ctx context.Context, since, next driver.Era) error {
	args := append(encodeEra(since), encodeEra(next)...)
	said, err := s.run(ctx, eraScript, []string{s.eraKey()}, args...)
	if err != nil || said[0] == "era" {
		return orEra(err)
	}
	if next.EraID == since.EraID {
		return nil
	}
	_, err = s.runEach(ctx, stampScript, allTags(), func(tag int) ([]string, []any) {
		return []string{s.key(tag, "mark"), s.key(tag, "counter")}, []any{hex(next.Number), eraText(next.EraID)}
	})
	return err
}

// Close implements driver.EntryStore.
func (s *store) Close() error {
	if !s.owned {
		return nil
	}
	return s.client.Close()
}

func allTags() []int {
	all := make([]int, tags)
	for i := range all {
		all[i] = i
	}
	return all
}

// run runs a script. It answers with texts, of which there is at least one.
func (s *store) run(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]string, error) {
	said, err := script.Run(ctx, s.client, keys, args...).StringSlice()
	return s.texts(ctx, said, err)
}

func (s *store) texts(ctx context.Context, said []string, err error) ([]string, error) {
	if err == nil && len(said) == 0 {
		err = errors.New("a script gave no answer")
	}
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return said, nil
}

// runEach runs a script for several tags, without waiting for one before the next.
func (s *store) runEach(
	ctx context.Context, script *redis.Script, of []int, call func(tag int) (keys []string, args []any),
) ([][]string, error) {
	if len(of) == 0 {
		return nil, nil
	}
	pipe := s.client.Pipeline()
	answers := make([]*redis.Cmd, len(of))
	for i, tag := range of {
		keys, args := call(tag)
		answers[i] = script.Eval(ctx, pipe, keys, args...)
	}
	_, _ = pipe.Exec(ctx) // each answer has its own error
	all := make([][]string, len(of))
	for i, a := range answers {
		said, err := a.StringSlice()
		if all[i], err = s.texts(ctx, said, err); err != nil {
			return nil, err
		}
	}
	return all, nil
}
