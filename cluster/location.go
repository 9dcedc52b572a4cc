package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/pidcache"
)

// location is where an activation was found.
type location struct {
	pid   *actor.PID
	fence driver.Fence
}

const cacheShards = 64

// locationCache is the PID cache, split so that callers seldom meet at one
// lock.
type locationCache struct {
	seed   maphash.Seed
	shards [cacheShards]struct {
		sync.Mutex // guards cache
		cache      *pidcache.Cache[*location]
	}
}

func newLocationCache(size int) *locationCache {
	c := &locationCache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].cache = pidcache.New[*location](max(size/cacheShards, 1))
	}
	return c
}

// with runs f on the shard of an identity, under its lock.
func (c *locationCache) with(id driver.Identity, f func(*pidcache.Cache[*location])) {
	shard := &c.shards[maphash.Comparable(c.seed, id)%cacheShards]
	shard.Lock()
	defer shard.Unlock()
	f(shard.cache)
}

func (c *locationCache) get(id driver.Identity) (loc *location) {
	c.with(id, func(cache *pidcache.Cache[*location]) { loc, _ = cache.Get(id) })
	return loc
}

func (c *locationCache) put(id driver.Identity, m driver.MemberID, loc *location) {
	c.with(id, func(cache *pidcache.Cache[*location]) { cache.Put(id, m, loc) })
}

func (c *locationCache) drop(id driver.Identity, loc *location) {
	c.with(id, func(cache *pidcache.Cache[*location]) { cache.Drop(id, loc) })
}

func (c *locationCache) retain(stay func(driver.MemberID) bool) {
	for i := range c.shards {
		shard := &c.shards[i]
		shard.Lock()
		shard.cache.Retain(stay)
		shard.Unlock()
	}
}

// locate gives the location of an identity: the cached one, or where the
// lookup finds it. A location that did not answer is given as suspect.
func (c *Cluster) locate(ctx context.Context, id driver.Identity, suspect *location) (*location, error) {
	if loc := c.cache.get(id); loc != nil {
		return loc, nil
	}
	return c.resolve(ctx, id, suspect)
}

// resolve asks the lookup, whatever is cached, and caches what it says.
func (c *Cluster) resolve(ctx context.Context, id driver.Identity, suspect *location) (*location, error) {
	m, err := c.running()
	if err != nil {
		return nil, err
	}
	var doubted driver.Fence
	if suspect != nil {
		doubted = suspect.fence
	}
	var done func(driver.MemberID, error)
	if c.config.observer != nil {
		ctx, done = c.observeResolve(ctx, id, suspect != nil)
	}
	found, err := m.lookup.Resolve(ctx, id, m.self.ID, doubted)
	if done != nil {
		c.resolved(id, found.Member.ID, err, done)
	}
	if err != nil {
		return nil, err
	}
	loc := &location{
		pid:   actor.NewPID(found.Member.Address, activationID(id, found.Member.ID, found.Fence)),
		fence: found.Fence,
	}
	c.cache.put(id, found.Member.ID, loc)
	if _, in := m.lookup.View().Member(found.Member.ID); !in {
		c.cache.drop(id, loc) // the view that dropped the member's entries came first
	}
	return loc, nil
}

// Get gives the PID of an identity's activation, and activates it if it is
// not active. It asks the owner of the identity each time, one round trip. It
// returns nil if that does not succeed within the request timeout; a log line
// says why. The PID is good as long as the activation is: a message to one
// that is gone is a dead letter.
func (c *Cluster) Get(identity, kind string) *actor.PID {
	pid, err := c.GetContext(context.Background(), identity, kind)
	if err != nil {
		c.logger.Warn("cluster: no PID for a grain", "grain", driver.Identity{Kind: kind, Name: identity}, "error", err)
	}
	return pid
}

// GetContext is Get with a context, whose deadline takes the place of the
// request timeout, and with the error that says what was in the way.
func (c *Cluster) GetContext(ctx context.Context, identity, kind string) (*actor.PID, error) {
	id, err := newIdentity(identity, kind)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx, callSettings{})
	defer cancel()
	for wait := backoff(0); ; wait = wait.next() {
		loc, err := c.resolve(ctx, id, nil)
		if err == nil {
			return loc.pid, nil
		}
		if !rejoining(err) {
			return nil, c.explain(id, err)
		}
		if wait.pause(ctx) != nil {
			return nil, fmt.Errorf("cluster: locate %s: %w; the last try: %w", id, timedOut(ctx.Err()), err)
		}
	}
}

// explain makes an error of the lookup one that a caller can act on.
func (c *Cluster) explain(id driver.Identity, err error) error {
	switch {
	case errors.Is(err, lookup.ErrNoHost):
		return fmt.Errorf("%w %q: %s: %w", ErrNoMemberForKind, id.Kind, c.seen(), timedOut(err))
	case errors.Is(err, lookup.ErrNoView):
		err := fmt.Errorf("%w: %w", ErrNoView, timedOut(err))
		if m := c.current.Load(); m != nil && m.complaint.Load() != nil {
			return fmt.Errorf("%w; the membership provider said: %w", err, *m.complaint.Load())
		}
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("cluster: locate %s: %w: %w", id, ErrTimeout, err)
	default:
		return fmt.Errorf("cluster: locate %s: %w", id, err)
	}
}

// timedOut keeps what errors.Is should find of an error that ended waiting.
func timedOut(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, context.DeadlineExceeded)
	}
	return err
}

// seen tells which members and kinds this process sees.
func (c *Cluster) seen() string {
	members := c.Members()
	if len(members) == 0 {
		return "the view holds no member"
	}
	words := make([]string, len(members))
	for i, m := range members {
		kinds := make([]string, len(m.Kinds))
		for j, k := range m.Kinds {
			kinds[j] = k.Name
		}
		words[i] = fmt.Sprintf("%s (%s) hosts [%s]", m.Address, m.State, strings.Join(kinds, " "))
	}
	return "of the members in the view, " + strings.Join(words, ", ")
}
