package pidcache_test

import (
	"fmt"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/pidcache"
)

func id(n int) driver.Identity { return driver.Identity{Kind: "k", Name: fmt.Sprint(n)} }

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	c := pidcache.New[int](3)
	for n := range 3 {
		c.Put(id(n), "m", n)
	}
	c.Get(id(0))
	c.Put(id(3), "m", 3)
	if _, ok := c.Get(id(1)); ok {
		t.Error("1 was used longest ago and is still there")
	}
	for _, n := range []int{0, 2, 3} {
		if v, ok := c.Get(id(n)); !ok || v != n {
			t.Errorf("Get(%d) = %d, %v", n, v, ok)
		}
	}
	if c.Len() != 3 {
		t.Errorf("Len = %d, want 3", c.Len())
	}
}

func TestPutReplaces(t *testing.T) {
	c := pidcache.New[int](2)
	c.Put(id(1), "a", 1)
	c.Put(id(2), "a", 2)
	c.Put(id(1), "b", 10)
	if v, _ := c.Get(id(1)); v != 10 || c.Len() != 2 {
		t.Errorf("value %d, len %d; want 10, 2", v, c.Len())
	}
}

func TestDropKeepsWhatWasFoundMeanwhile(t *testing.T) {
	c := pidcache.New[int](2)
	c.Put(id(1), "a", 1)
	c.Put(id(1), "b", 2)
	c.Drop(id(1), 1)
	if _, ok := c.Get(id(1)); !ok {
		t.Error("a stale drop removed the newer location")
	}
	c.Drop(id(1), 2)
	if _, ok := c.Get(id(1)); ok {
		t.Error("the dropped location is still there")
	}
	c.Drop(id(9), 1)
}

func TestRetainDropsOnlyMembersThatAreGone(t *testing.T) {
	c := pidcache.New[int](10)
	for n := range 10 {
		c.Put(id(n), driver.MemberID([]string{"stays", "gone"}[n%2]), n)
	}
	c.Retain(func(m driver.MemberID) bool { return m == "stays" })
	for n := range 10 {
		if _, ok := c.Get(id(n)); ok != (n%2 == 0) {
			t.Errorf("Get(%d) found: %v", n, ok)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	c := pidcache.New[int](1 << 16)
	for n := range 1 << 16 {
		c.Put(id(n), "m", n)
	}
	key := id(77)
	b.ReportAllocs()
	for b.Loop() {
		c.Get(key)
	}
}
