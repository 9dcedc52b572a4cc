package cluster

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
)

// room keeps the number of activations of a kind on this member within its
// limit: when one comes that is too many, the one that was idle for the longest
// time goes. What handles a message is not idle, and neither is one that has not
// had its first; if all are like that there are more for a while, until the next
// turn ends.
//
// A message costs an activation some stores and a look at the clock. The order is
// made when it is needed.
type room struct {
	limit int
	began time.Time
	evict func(*activation)
	// over says that there are too many, and none was idle.
	over atomic.Bool

	mu   sync.Mutex // guards live and the places of activations in it
	live usages
}

// usage is what a room knows of an activation.
type usage struct {
	room *room
	act  *activation
	last atomic.Int64 // when its last turn ended, or it was made
	busy atomic.Bool  // a turn is on
	used atomic.Bool  // its first message has come

	seen  int64 // guarded by the room's mu: what its order goes by, last or earlier
	place int   // guarded by the room's mu: in live, -1 if it is not
}

// usages is a heap, the earliest seen first.
type usages []*usage

func (u *usages) Len() int           { return len(*u) }
func (u *usages) Less(i, j int) bool { return (*u)[i].seen < (*u)[j].seen }
func (u *usages) Swap(i, j int) {
	all := *u
	all[i], all[j] = all[j], all[i]
	all[i].place, all[j].place = i, j
}

// Push implements heap.Interface.
func (u *usages) Push(x any) {
	added := x.(*usage) //nolint:errcheck // heap.Push is given nothing else
	added.place = len(*u)
	*u = append(*u, added)
}

// Pop implements heap.Interface.
func (u *usages) Pop() any {
	all := *u
	last := all[len(all)-1]
	all[len(all)-1] = nil
	*u = all[:len(all)-1]
	last.place = -1
	return last
}

// freshTime is how long an activation may wait for its first message without being
// taken for idle.
const freshTime = time.Second

func newRoom(limit int, system *actor.ActorSystem, evicted *atomic.Int64) *room {
	return &room{limit: limit, began: time.Now(), evict: func(act *activation) {
		evicted.Add(1)
		act.ends(DeactivatedForRoom)
		system.Root.Poison(act.pid) // behind what waits in its mailbox
	}}
}

func (r *room) now() int64 { return int64(time.Since(r.began)) }

// enter makes room for an activation, which is not started yet.
func (r *room) enter(act *activation) {
	u := &usage{room: r, act: act, seen: r.now()}
	u.last.Store(u.seen)
	act.usage = u
	r.mu.Lock()
	heap.Push(&r.live, u)
	r.mu.Unlock()
	r.shrink()
}

// leave forgets an activation.
func (r *room) leave(u *usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.place >= 0 {
		heap.Remove(&r.live, u.place)
	}
	if len(r.live) <= r.limit {
		r.over.Store(false)
	}
}

// begin and end are called around each message of an activation.
func (u *usage) begin() {
	u.busy.Store(true)
	if !u.used.Load() {
		u.used.Store(true)
	}
}

func (u *usage) end() {
	u.last.Store(u.room.now())
	u.busy.Store(false)
	if u.room.over.Load() {
		u.room.shrink()
	}
}

// idle reports whether an activation may go.
func (u *usage) idle(now int64) bool {
	return !u.busy.Load() && !u.act.awaits() && (u.used.Load() || now-u.last.Load() > int64(freshTime))
}

// shrink stops activations, the least recently used first, until there are not too
// many, or no idle one is found.
func (r *room) shrink() {
	var stop []*activation
	var stay []*usage
	r.mu.Lock()
	now := r.now()
	for len(r.live)+len(stay) > r.limit && len(r.live) > 0 && len(stay) < maxBusySeen {
		first := r.live[0]
		last := first.last.Load()
		if first.idle(now) && last > first.seen {
			first.seen = last
			heap.Fix(&r.live, 0)
			continue
		}
		heap.Pop(&r.live)
		if first.idle(now) {
			stop = append(stop, first.act)
		} else {
			stay = append(stay, first)
		}
	}
	for _, u := range stay {
		u.seen = now // it is as if it had been used now
		heap.Push(&r.live, u)
	}
	r.over.Store(len(r.live) > r.limit)
	r.mu.Unlock()
	for _, act := range stop {
		r.evict(act)
	}
}

// maxBusySeen is how many busy activations one search passes by.
const maxBusySeen = 64
