package consul

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
)

// Consul takes values of 512 KiB as it comes (kv_max_value_size), and a view record may be twice as large. One above
// partSize is stored in parts first, under a name that was never used, and then its key is written, with that name as
// value and their number as flags. A reader gets all of it in one list.
const (
	partSize = 256 << 10
	maxParts = 64 // nobody writes as many
)

// parts are the parts of records that were read: by the name of their set, and their number in it.
type parts map[string]map[string][]byte

// add takes a key, if it is that of a part.
func (p parts) add(folder, name string, value []byte) {
	set, ok := strings.CutPrefix(folder, "parts/")
	set = strings.TrimSuffix(set, "/")
	if !ok || set == "" {
		return
	}
	if p[set] == nil {
		p[set] = map[string][]byte{}
	}
	p[set][name] = value
}

// names are those of all sets, also of those that no record uses (any more).
func (p parts) names() []string {
	var names []string
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// join gives the record whose key is given.
func (p parts) join(head *api.KVPair) ([]byte, error) {
	if head.Flags == 0 {
		return append([]byte{}, head.Value...), nil // never nil: the key is there
	}
	if head.Flags > maxParts {
		return nil, fmt.Errorf("the key %s has the flags %d, which nobody here writes; delete it, and what it holds begins anew", head.Key, head.Flags)
	}
	set := p[string(head.Value)]
	data := []byte{}
	for i := range int(head.Flags) {
		part, there := set[strconv.Itoa(i)]
		if !there {
			return nil, fmt.Errorf("part %d of %d of what the key %s holds is gone; delete the key, and it begins anew", i, head.Flags, head.Key)
		}
		data = append(data, part...)
	}
	return data, nil
}

func (s *store) partKeys(set string) string { return s.prefix + "parts/" + escape(set) + "/" }

// split gives what is to be written to the record's key, and stores the parts of a large record. Those of a split that
// failed are left to the next writer.
func (s *store) split(ctx context.Context, data []byte) (head *api.KVPair, set string, err error) {
	if len(data) <= partSize {
		return &api.KVPair{Value: data}, "", nil
	}
	set = rand.Text()
	n := 0
	for part := range slices.Chunk(data, partSize) {
		if _, err := s.client.KV().Put(&api.KVPair{Key: s.partKeys(set) + strconv.Itoa(n), Value: part}, written(ctx)); err != nil {
			return nil, "", err
		}
		n++
	}
	return &api.KVPair{Value: []byte(set), Flags: uint64(n)}, set, nil
}

// refused tells what became of a check-and-set of the record that was not carried out, and deletes the parts that were made
// for it. Something before the agent may have sent it twice, so that the first was carried out: nobody but the writer
// knows the name of the parts, so that the record tells.
func (s *store) refused(ctx context.Context, set string) error {
	if set == "" {
		return driver.ErrConflict
	}
	head, err := s.get(ctx, s.recordKey())
	switch {
	case err != nil: // the next writer sees the parts
		return s.explain("see whether the view record was written", err)
	case head != nil && head.Flags != 0 && string(head.Value) == set:
		return nil
	}
	s.forget(ctx, set)
	return driver.ErrConflict
}

// forget deletes sets of parts that no record uses. A writer that has replaced the record may forget all that it had
// read before: those of the former record, and those of writers that come too late for it. What cannot be deleted the
// next writer sees.
func (s *store) forget(ctx context.Context, sets ...string) {
	ctx, cancel := tidily(ctx)
	defer cancel()
	for _, set := range sets {
		if set == "" {
			continue
		}
		if _, err := s.client.KV().DeleteTree(s.partKeys(set), written(ctx)); err != nil {
			return
		}
	}
}
