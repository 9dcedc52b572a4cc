package pidcache

import "github.com/granary-go/granary/cluster/driver"

// Cache maps identities to locations of type V. It is not safe for use by
// several goroutines.
type Cache[V comparable] struct {
	limit   int
	entries map[driver.Identity]*entry[V]
	// ring is the sentinel of a circular list: ring.next was used last,
	// ring.prev longest ago.
	ring entry[V]
}

type entry[V comparable] struct {
	identity   driver.Identity
	member     driver.MemberID
	value      V
	prev, next *entry[V]
}

// New makes a cache of at most limit entries; limit is at least 1.
func New[V comparable](limit int) *Cache[V] {
	c := &Cache[V]{limit: max(limit, 1), entries: make(map[driver.Identity]*entry[V])}
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	return c
}

// Len is the number of entries.
func (c *Cache[V]) Len() int { return len(c.entries) }

// Get gives the location of an identity and marks it as used.
func (c *Cache[V]) Get(id driver.Identity) (value V, ok bool) {
	e := c.entries[id]
	if e == nil {
		return value, false
	}
	c.unlink(e)
	c.push(e)
	return e.value, true
}

// Put remembers that an identity is on a member, in place of what was known.
// When the cache is full the least recently used entry goes.
func (c *Cache[V]) Put(id driver.Identity, member driver.MemberID, value V) {
	if e := c.entries[id]; e != nil {
		c.remove(e)
	} else if len(c.entries) >= c.limit {
		c.remove(c.ring.prev)
	}
	e := &entry[V]{identity: id, member: member, value: value}
	c.entries[id] = e
	c.push(e)
}

// Drop forgets an identity if its location is still the given one: a caller
// that was slow to fail must not drop what others have found meanwhile.
func (c *Cache[V]) Drop(id driver.Identity, value V) {
	if e := c.entries[id]; e != nil && e.value == value {
		c.remove(e)
	}
}

// Retain forgets what is on members that stay does not hold, and nothing else
// (rule 12 of the placement protocol).
func (c *Cache[V]) Retain(stay func(driver.MemberID) bool) {
	for _, e := range c.entries {
		if !stay(e.member) {
			c.remove(e)
		}
	}
}

func (c *Cache[V]) remove(e *entry[V]) {
	c.unlink(e)
	delete(c.entries, e.identity)
}

func (c *Cache[V]) unlink(e *entry[V]) { e.prev.next, e.next.prev = e.next, e.prev }

func (c *Cache[V]) push(e *entry[V]) {
	e.prev, e.next = &c.ring, c.ring.next
	e.prev.next, e.next.prev = e, e
}
