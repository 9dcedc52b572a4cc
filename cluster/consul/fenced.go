package consul

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
)

// MaxValue is how large a value of a [FencedStore] may be, in bytes. Consul is made for small ones.
const MaxValue = 4 << 20

const (
	// tokenLength is how long the text of a token is: two numbers of 16 digits and a dot.
	tokenLength = 33
	// maxTidied is how many sets of parts a transaction deletes at most; it may hold 128 operations.
	maxTidied = 64
)

// FencedStore is a [driver.FencedStore] on Consul. Each identity has one key, prefix/kind/name, whose value begins with
// the token that was seen last. A newline and the identity's value follow, if it has one, so that people can read both:
//
//	$ consul kv get shop/state/Counter/alice
//	0000019ab2c3d4e5.0000000000000007
//	{"count":42}
//
// A value above 256 KiB is stored in parts under prefix/=parts/, and its key has their name instead. Every Open and Write
// is a transaction with check-and-set on the index of the key, after a consistent read of it: two round trips, and one
// more for each part. The keys are in the default namespace.
//
// With ACLs the token of the client needs key_prefix "shop/state/" { policy = "write" }.
type FencedStore struct {
	client *api.Client
	prefix string
}

var _ driver.FencedStore = (*FencedStore)(nil)

// NewFencedStore makes a store of the values under a prefix, which nothing else may write. The client stays the caller's.
func NewFencedStore(client *api.Client, prefix string) *FencedStore {
	return &FencedStore{client: client, prefix: strings.Trim(prefix, "/") + "/"}
}

// Open implements [driver.FencedStore]. It writes in any case: a transaction on its way, of a Write that was given up,
// is void after it.
func (s *FencedStore) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	var opened []byte
	err := s.change(ctx, id, f, func(old fenced) (head []byte, flags uint64, err error) {
		opened, err = old.value()
		if old.Value != nil {
			head = append(head, old.Value[tokenLength:]...)
		}
		return head, old.Flags, err
	})
	if err != nil {
		return nil, fmt.Errorf("consul: open the state of %v with token %v: %w", id, f, err)
	}
	return opened, nil
}

// Write implements [driver.FencedStore].
func (s *FencedStore) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	err := s.change(ctx, id, f, func(fenced) ([]byte, uint64, error) {
		if len(value) <= partSize {
			return tail(value), 0, nil
		}
		set, n, err := s.split(ctx, id, value)
		return tail([]byte(set)), n, err
	})
	if err != nil {
		return fmt.Errorf("consul: write the state of %v with token %v: %w", id, f, err)
	}
	return nil
}

// tail is what follows the token.
func tail(value []byte) []byte {
	if value == nil {
		return nil
	}
	return append([]byte{'\n'}, value...)
}

// fenced is what there is of an identity.
type fenced struct {
	*api.KVPair // its index is 0 if it is not there
	sets        parts
}

// change replaces what is stored of an identity under a token by what next makes of it: all but the token. It reads and
// tries again when somebody was quicker, who may have brought a larger token. The parts that are not needed any more,
// also of those who came too late, are deleted in the same transaction.
func (s *FencedStore) change(ctx context.Context, id driver.Identity, f driver.Fence, next func(fenced) ([]byte, uint64, error)) error {
	if err := checkIdentity(id); err != nil {
		return err
	}
	for {
		old, err := s.read(ctx, id)
		if err != nil {
			return s.explain(err)
		}
		seen, err := old.token()
		switch {
		case err != nil:
			return err
		case seen.Compare(f) > 0:
			return driver.ErrFenced
		}
		text, flags, err := next(old)
		if err != nil {
			return s.explain(err)
		}
		ops := api.TxnOps{{KV: &api.KVTxnOp{
			Verb: api.KVCAS, Key: old.Key, Value: append([]byte(f.String()), text...), Flags: flags, Index: old.ModifyIndex,
		}}}
		for _, set := range old.sets.names() {
			used := flags != 0 && string(text[1:]) == set
			if !used && len(ops) <= maxTidied {
				ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVDeleteTree, Key: s.partKeys(id) + set + "/"}})
			}
		}
		if err := s.commit(ctx, ops); !errors.Is(err, driver.ErrConflict) {
			return s.explain(err)
		}
	}
}

// read reads the key of an identity and all parts, in one state of them.
func (s *FencedStore) read(ctx context.Context, id driver.Identity) (fenced, error) {
	key, partKeys := s.key(id), s.partKeys(id)
	ok, answer, meta, err := s.client.Txn().Txn(api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: key}},
		{KV: &api.KVTxnOp{Verb: api.KVGetTree, Key: partKeys}},
	}, consistent(ctx))
	switch {
	case err != nil:
		return fenced{}, err
	case !ok:
		return fenced{}, refusal(answer)
	case meta.ResultsFilteredByACLs || len(answer.Results) == 0:
		return fenced{}, errFiltered
	}
	f := fenced{sets: parts{}}
	for i, result := range answer.Results {
		if result == nil || result.KV == nil || i == 0 && result.KV.Key != key {
			return fenced{}, fmt.Errorf("%w: it is not about the key %s", errNotConsul, key)
		}
		if i == 0 {
			f.KVPair = result.KV
			continue
		}
		folder, name := path.Split(strings.TrimPrefix(result.KV.Key, partKeys))
		f.sets.add("parts/"+folder, name, result.KV.Value)
	}
	return f, nil
}

// split stores the parts of a large value under a new name.
func (s *FencedStore) split(ctx context.Context, id driver.Identity, value []byte) (set string, n uint64, err error) {
	if len(value) > MaxValue {
		return "", 0, fmt.Errorf("a value of %d bytes; at most %d are allowed", len(value), MaxValue)
	}
	set = rand.Text()
	for part := range slices.Chunk(value, partSize) {
		key := s.partKeys(id) + set + "/" + strconv.FormatUint(n, 10)
		if err := s.commit(ctx, api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVSet, Key: key, Value: part}}}); err != nil {
			return "", 0, err
		}
		n++
	}
	return set, n, nil
}

// commit runs a transaction of writes. It fails with [driver.ErrConflict] if the first, a check-and-set, does.
func (s *FencedStore) commit(ctx context.Context, ops api.TxnOps) error {
	ok, answer, _, err := s.client.Txn().Txn(ops, new(api.QueryOptions).WithContext(ctx))
	switch {
	case err != nil:
		return err
	case !ok:
		return refusal(answer)
	case len(answer.Results) == 0 || answer.Results[0] == nil || answer.Results[0].KV == nil || answer.Results[0].KV.Key != ops[0].KV.Key:
		return fmt.Errorf("%w: it is not about the transaction", errNotConsul)
	}
	return nil
}

// refusal is the error of a transaction that was not carried out.
func refusal(answer *api.TxnResponse) error {
	var why []string
	for _, e := range answer.Errors {
		if e == nil {
			continue
		}
		if strings.Contains(e.What, "index is stale") {
			return driver.ErrConflict
		}
		why = append(why, e.What)
	}
	if len(why) == 0 {
		return fmt.Errorf("%w: it refuses a transaction for no reason", errNotConsul)
	}
	return fmt.Errorf("the transaction was refused: %s", strings.Join(why, "; "))
}

func (s *FencedStore) explain(err error) error {
	if err == nil {
		return nil
	}
	return explain(err, fmt.Sprintf(`key_prefix %q { policy = "write" }`, s.prefix))
}

func (s *FencedStore) key(id driver.Identity) string {
	return s.prefix + escape(id.Kind) + "/" + escape(id.Name)
}

// partKeys begins the keys of an identity's parts. No kind is escaped to the first word.
func (s *FencedStore) partKeys(id driver.Identity) string {
	return s.prefix + "=parts/" + escape(id.Kind) + "/" + escape(id.Name) + "/"
}

func checkIdentity(id driver.Identity) error {
	switch {
	case id.Kind == "" || len(id.Kind) > driver.MaxKindLength:
		return fmt.Errorf("the kind has %d bytes, must have 1 to %d", len(id.Kind), driver.MaxKindLength)
	case id.Name == "" || len(id.Name) > driver.MaxIdentityLength:
		return fmt.Errorf("the name has %d bytes, must have 1 to %d", len(id.Name), driver.MaxIdentityLength)
	}
	return nil
}

var errNotFenced = errors.New("holds no fenced value: something else writes under this prefix. " +
	"Look at it with consul kv get, and delete it if it is not needed; its token is lost then")

// token gives the token that was seen last; zero if there is no key.
func (f fenced) token() (driver.Fence, error) {
	if f.ModifyIndex == 0 {
		return driver.Fence{}, nil
	}
	fence := driver.Fence{}
	text, _, _ := bytes.Cut(f.Value, []byte("\n"))
	if len(text) == tokenLength {
		fence.Term, _ = strconv.ParseUint(string(text[:16]), 16, 64)
		fence.Seq, _ = strconv.ParseUint(string(text[17:]), 16, 64)
	}
	if fence.String() != string(text) {
		return driver.Fence{}, fmt.Errorf("the key %s %w", f.Key, errNotFenced)
	}
	return fence, nil
}

// value gives what is stored; nil if there is nothing.
func (f fenced) value() ([]byte, error) {
	if len(f.Value) <= tokenLength {
		return nil, nil
	}
	return f.sets.join(&api.KVPair{Key: f.Key, Flags: f.Flags, Value: f.Value[tokenLength+1:]})
}
