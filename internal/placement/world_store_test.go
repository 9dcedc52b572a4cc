package placement

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/record"
)

// worldStore is the coordination service: the view record under compare-and-set,
// and liveness keys that end when their lease has. Each request takes effect in
// one instant, or not at all.
type worldStore struct {
	found   bool
	record  record.Record
	version int
	// change counts whatever a watcher would hear of.
	change int
	keys   map[driver.MemberID]*liveness
	down   bool
}

type liveness struct {
	member driver.Member
	// ends is when the service deletes the key, unless it is renewed.
	ends Time
}

func (s *worldStore) alive() []driver.Member {
	alive := make([]driver.Member, 0, len(s.keys))
	for _, id := range slices.Sorted(maps.Keys(s.keys)) {
		alive = append(alive, s.keys[id].member)
	}
	return alive
}

// snapshot is what a read gives.
type snapshot struct {
	found   bool
	record  record.Record
	version int
	change  int
	alive   []driver.Member
}

func (w *world) read() snapshot {
	s := &w.store
	return snapshot{s.found, s.record, s.version, s.change, s.alive()}
}

func (w *world) changed() { w.store.change++ }

// write is compare-and-set.
func (w *world) write(by *node, since int, next record.Record) bool {
	s := &w.store
	if s.version != since {
		return false
	}
	was := s.record.View
	s.found, s.record, s.version = true, next, s.version+1
	w.changed()
	w.logf("record: %s writes view %d of %s: %v", by.id, next.View.Epoch, next.View.Incarnation, next.View.Members)
	w.published(was, next.View)
	return true
}

// expire deletes the key once its lease has run out; the service may be slow.
func (w *world) expire(id driver.MemberID) {
	key := w.store.keys[id]
	if key == nil {
		return
	}
	if key.ends > w.now {
		w.after(key.ends-w.now, func() { w.expire(id) })
		return
	}
	w.logf("store: the lease of %s has run out", id)
	delete(w.store.keys, id)
	w.changed()
}

func (w *world) register(n *node) Time {
	w.store.keys[n.id] = &liveness{n.member, w.now + worldTTL}
	w.changed()
	w.after(worldTTL+w.slack(), func() { w.expire(n.id) })
	return worldTTL
}

// slack is how much longer than it must the service keeps a lease.
func (w *world) slack() Time {
	if w.faulty(100) {
		return w.ms(1500)
	}
	return w.ms(100)
}

// renew gives the time granted; 0 says that the key is gone.
func (w *world) renew(n *node) Time {
	key := w.store.keys[n.id]
	if key == nil {
		return 0
	}
	key.ends = w.now + worldTTL + w.slack()
	return worldTTL
}

// empty loses all that the store has.
func (w *world) empty() {
	w.logf("store: emptied")
	s := &w.store
	s.found, s.record, s.version = false, record.Record{}, s.version+1
	clear(s.keys)
	w.changed()
}

// ask brings a request to the service and its answer back. Either may be lost,
// or late: then the node hears of an error after its time-out, once.
func (w *world) ask(n *node, request func() any, answer func(any, bool)) {
	heard := false
	hear := func(result any, ok bool) {
		if !heard {
			heard = true
			answer(result, ok)
		}
	}
	w.at(n, worldTTL/3, func() { hear(nil, false) })
	if n.proc.cutFromStore || w.faulty(30) {
		return
	}
	w.after(w.latency(), func() {
		if w.store.down {
			return
		}
		result := request()
		if n.proc.cutFromStore || w.faulty(30) {
			return
		}
		w.at(n, w.latency(), func() { hear(result, true) })
	})
}

// latency is how long a message is under way.
func (w *world) latency() Time {
	d := w.ms(15)
	if w.faulty(40) {
		d += w.ms(900)
	}
	return d
}
