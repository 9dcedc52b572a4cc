package consul

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

func TestClusterPrefix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prefix, cluster, keys, node, service string }{
		{"granary", "shop", "granary/shop/", "granary-shop", "granary-shop"},
		{"/granary/", "shop", "granary/shop/", "granary-shop", "granary-shop"},
		{"", "shop", "shop/", "shop", "shop"},
		{"a//b/./c", "shop", "a/b/c/shop/", "a-b-c-shop", "a-b-c-shop"},
		{"granary", "shop/members", "granary/shop=2Fmembers/", "granary-shop=2Fmembers", "granary-shop-2Fmembers"},
		{"granary", "..", "granary/=2E=2E/", "granary-=2E=2E", "granary-2E-2E"},
		{"..", ".", "=2E=2E/=2E/", "=2E=2E-=2E", "2E-2E-2E"},
		{"granary", "ü b", "granary/=C3=BC=20b/", "granary-=C3=BC=20b", "granary-C3-BC-20b"},
	} {
		if keys := clusterPrefix(c.prefix, c.cluster); keys != c.keys {
			t.Errorf("keys of %q under %q: %q; want %q", c.cluster, c.prefix, keys, c.keys)
		}
		if node := dashed(c.prefix, c.cluster); node != c.node {
			t.Errorf("node of %q under %q: %q; want %q", c.cluster, c.prefix, node, c.node)
		}
		if name := serviceName(c.prefix, c.cluster); name != c.service {
			t.Errorf("service of %q under %q: %q; want %q", c.cluster, c.prefix, name, c.service)
		}
	}
	for _, word := range []string{"", "a", ".", "..", "...", "a..b", "a/b", "//", "%2E", "=", "=2E", "a=", "ü ", " a ", "\x00\xff"} {
		if back, err := unescape(escape(word)); err != nil || back != word || strings.ContainsAny(escape(word), "/% ") {
			t.Errorf("%q is escaped to %q, and back to %q, %v", word, escape(word), back, err)
		}
	}
	for _, segment := range []string{"=", "a=", "=2", "=zz", "=2e", "=41", "a b", ".", "==2E"} {
		if word, err := unescape(segment); err == nil {
			t.Errorf("%q, which nobody writes, is read as %q", segment, word)
		}
	}
}

// What is in the store and no member's is left out, and a record whose parts are gone is none.
func TestSort(t *testing.T) {
	t.Parallel()
	s := newStore(&connection{}, DefaultPrefix, "test")
	pair := func(key, value, session string) *api.KVPair {
		return &api.KVPair{Key: s.prefix + key, Value: []byte(value), Session: session, ModifyIndex: 7}
	}
	head := pair("view", "set", "")
	head.Flags = 2
	keys := api.KVPairs{
		pair("members/a", "A", "session"), pair("members/b=2Fc", "BC", "session"), pair("members/stranger", "?", ""),
		pair("members/", "?", "session"), pair("members/x/y", "?", "session"), pair("members/=zz", "?", "session"), pair("members/b/c", "?", "session"),
		pair("parts/set/0", "one ", ""), pair("parts/set/1", "two", ""), pair("parts/old/0", "?", ""), pair("parts/x", "?", ""), head,
	}
	record, err := s.sort(keys, 9)
	if err != nil {
		t.Fatal(err)
	}
	if string(record.Data) != "one two" {
		t.Errorf("the record is %q", record.Data)
	}
	if ids := slices.Sorted(maps.Keys(record.Alive)); !slices.Equal(ids, []driver.MemberID{"a", "b/c"}) {
		t.Errorf("alive are %q; want a and b/c", ids)
	}
	v, ok := record.Version.(version)
	if !ok || v.record != 7 || v.read != 9 || !slices.Equal(v.parts, []string{"old", "set"}) {
		t.Errorf("the version is %+v", record.Version)
	}
	for name, broken := range map[string]api.KVPairs{
		"a part is gone": slices.DeleteFunc(slices.Clone(keys), func(p *api.KVPair) bool { return strings.HasSuffix(p.Key, "set/1") }),
		"strange flags":  {&api.KVPair{Key: s.recordKey(), Value: []byte("set"), Flags: 1 << 40}},
		"null":           {nil},
	} {
		if record, err := s.sort(broken, 9); err == nil {
			t.Errorf("%s: the record is %q; want an error", name, record.Data)
		}
	}
	empty, err := s.sort(api.KVPairs{pair("view", "", "")}, 9)
	if err != nil || empty.Data == nil {
		t.Errorf("an empty record: %v, %v; want one that is there", empty.Data, err)
	}
}

func TestServiceOfAMember(t *testing.T) {
	t.Parallel()
	r := membertest.Request("a/b", "10.0.0.7:4020")
	r.Member.Labels = map[string]string{
		"zone": "eu-1", "with space": "x", "consul-x": "x", "granary-member": "x", "long": strings.Repeat("x", maxMetaValue+1), "": "x",
	}
	s := describe("shop", r)
	if s.ID != "a=2Fb" || s.Name != "shop" || s.Address != "10.0.0.7" || s.Port != 4020 || !slices.Equal(s.Tags, []string{"Ponger"}) {
		t.Errorf("the service is %+v", s)
	}
	want := map[string]string{"zone": "eu-1", "granary-cluster": "test", "granary-member": "a/b", "granary-kinds": "Ponger (lease)"}
	if !maps.Equal(s.Meta, want) {
		t.Errorf("its metadata are %v; want %v", s.Meta, want)
	}
	for i := range 200 {
		r.Member.Labels[strings.Repeat("l", 1+i%100)+strings.Repeat("m", i/100)] = "x"
		r.Member.Kinds = append(r.Member.Kinds, driver.Kind{Name: strings.Repeat("ü", 1+i)})
	}
	if s = describe("shop", r); len(s.Meta) != maxMeta || len(s.Tags) != maxTags || len(s.Meta["granary-kinds"]) > maxMetaValue {
		t.Errorf("with many labels and kinds there are %d pairs, %d tags, %d bytes of kinds", len(s.Meta), len(s.Tags), len(s.Meta["granary-kinds"]))
	}
}
