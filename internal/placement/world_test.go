package placement

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/lease"
	"github.com/granary-go/granary/internal/record"
)

const (
	worldTTL    = 1000 * simMillisecond
	worldPause  = 50 * simMillisecond
	worldFaulty = 6000 * simMillisecond // how long faults go on
	worldCalm   = 9000 * simMillisecond // and how long the rest may take
)

// worldFaults are rules that are switched off, of any of the machines.
type worldFaults struct {
	placement faults
	record    record.Faults
	lease     lease.Faults
	// flag has the lease looked at by a ticker, not before every turn.
	flag bool
	// byAddress delivers messages to whoever lives at the address now, as if
	// they did not name the member they are for.
	byAddress bool
}

// world is a cluster with leases: every process runs the shipped machines of
// record, lease, host and owner by a clock of its own, above one store. The
// network among them and to the store may be cut, also in one direction;
// processes are paused, crash and come back; the store is late, out of reach, or
// loses its content.
//
// Kind "k" is leased, kind "b" best effort.
type world struct {
	engine
	broken worldFaults
	store  worldStore
	procs  []*process
	nodes  map[driver.MemberID]*node
	born   int

	identities []driver.Identity
	// live are the activations whose last handler has not returned, also those
	// whose member is fenced.
	live    map[driver.Identity]map[driver.MemberID]driver.Fence
	newest  map[driver.Identity]driver.Fence
	calls   map[uint64]*simCall
	asked   uint64
	waiting int    // calls that have no answer yet
	table   *Table // of the record's view
	stats   worldStats
	retired map[driver.MemberID]bool
}

// worldStats tell whether a run did its work.
type worldStats struct {
	answered, turns, refused, withheld, fenced, founded, doubles int
}

// process is an address with a clock. Its incarnations come one after the other.
type process struct {
	address      string
	offset       Time
	rate         float64
	pausedUntil  Time
	cutFromStore bool
	cut          map[*process]bool // messages to these are lost
	node         *node             // nil after a crash or a leave
}

func (p *process) clock(now Time) Time { return p.offset + Time(float64(now)*p.rate) }

// node is one incarnation of a process.
type node struct {
	id     driver.MemberID
	proc   *process
	member driver.Member
	host   *Host
	owner  *Owner
	record *record.Machine
	lease  *lease.Machine

	deadline Time // of the lease, by the own clock
	phase    driver.LeasePhase
	last     snapshot // the last read
	reading  bool
	seen     uint64 // the view that the placement machines go by
	ticking  bool
	ended    bool // no event reaches it any more
	leaving  bool
	removed  bool
	marks    map[Slot]driver.Fence
	running  map[driver.Identity]*turns
}

// turns is the mailbox of an activation: one turn at a time.
type turns struct {
	fence   driver.Fence
	stops   bool
	busy    bool
	waiting []message
}

func (n *node) clock(w *world) Time { return n.proc.clock(w.now) }

// valid is the check before every turn, reply and start (rule 11).
func (n *node) valid(w *world) bool {
	if n.lease == nil {
		return false
	}
	if w.broken.flag {
		return n.phase != driver.LeaseFenced
	}
	return n.clock(w) < n.deadline
}

func newWorld(seed uint64, broken worldFaults) *world {
	w := &world{
		engine: newEngine(seed), broken: broken,
		store: worldStore{keys: make(map[driver.MemberID]*liveness)},
		nodes: make(map[driver.MemberID]*node),
		live:  make(map[driver.Identity]map[driver.MemberID]driver.Fence), newest: make(map[driver.Identity]driver.Fence),
		calls: make(map[uint64]*simCall), retired: make(map[driver.MemberID]bool),
	}
	w.identities = slices.Clone(simIdentities[:4])
	w.identities = append(w.identities, driver.Identity{Kind: "b", Name: "0"}, driver.Identity{Kind: "b", Name: "1"})
	return w
}

func (w *world) faulty(chance int) bool { return w.now < worldFaulty && w.chance(chance) }

// at runs something in a process: not while it is paused, and not once its
// incarnation has ended.
func (w *world) at(n *node, d Time, do func()) {
	w.after(d, func() { w.inside(n, do) })
}

func (w *world) inside(n *node, do func()) {
	switch {
	case n.ended:
	case n.proc.pausedUntil > w.now:
		w.after(n.proc.pausedUntil-w.now, func() { w.inside(n, do) })
	default:
		do()
	}
}

func (w *world) run() string {
	for range 2 + w.rng.IntN(3) {
		w.boot(w.newProcess())
	}
	w.after(w.ms(400)+worldTTL, w.nemesis)
	for range 12 {
		w.after(worldTTL+w.ms(2000), w.call)
	}
	w.runUntil(worldFaulty + worldCalm)
	w.atRest()
	return w.failure
}

func (w *world) newProcess() *process {
	p := &process{
		address: fmt.Sprintf("p%d", len(w.procs)+1), offset: w.ms(100_000),
		rate: 0.955 + 0.09*w.rng.Float64(), cut: make(map[*process]bool),
	}
	w.procs = append(w.procs, p)
	return p
}

// boot starts a new incarnation of a process.
func (w *world) boot(p *process) {
	w.born++
	id := driver.MemberID(fmt.Sprintf("m%d", w.born))
	n := &node{id: id, proc: p, marks: make(map[Slot]driver.Fence), running: make(map[driver.Identity]*turns)}
	n.member = driver.Member{
		ID: id, Address: p.address, Versions: driver.Versions{Min: 1, Max: 1},
		Kinds: []driver.Kind{{Name: "b"}, {Name: "k", Guarantee: driver.Leased}},
	}
	n.host = NewHost(id, HostConfig{ReportBytes: 48})
	n.owner = NewOwner(id, OwnerConfig{Patience: 2000 * simMillisecond})
	n.host.broken, n.owner.broken = w.broken.placement, w.broken.placement
	n.record = record.New(record.Config{
		Self: n.member, Incarnation: "i" + string(id), Pause: record.Time(worldPause), FoundAfter: record.Time(worldTTL),
	})
	n.record.Break(w.broken.record)
	p.node, w.nodes[id] = n, n
	w.logf("%s starts as %s", p.address, id)
	w.join(n)
}

// join registers the liveness key; then the node reads and renews.
func (w *world) join(n *node) {
	began := n.clock(w)
	w.ask(n, func() any { return w.register(n) }, func(granted any, ok bool) {
		if !ok {
			// It may have been registered: a process that is unsure begins anew.
			w.end(n)
			w.after(w.ms(200), func() { w.restart(n.proc) })
			return
		}
		n.lease = lease.New(lease.Renewed{Start: lease.Time(began), TTL: lease.Time(granted.(Time))})
		n.lease.Break(w.broken.lease)
		n.deadline = Time(n.lease.Deadline().At)
		w.leaseStep(n, lease.Tick{})
		w.renewLater(n, worldTTL/3)
		w.reread(n)
	})
}

func (w *world) restart(p *process) {
	if p.node == nil {
		w.boot(p)
	}
}

// end takes an incarnation out of the world.
func (w *world) end(n *node) {
	n.ended = true
	if n.proc.node == n {
		n.proc.node = nil
	}
	for _, at := range w.live {
		delete(at, n.id)
	}
}

func (w *world) renewLater(n *node, d Time) {
	w.at(n, d, func() {
		began := n.clock(w)
		w.ask(n, func() any { return w.renew(n) }, func(granted any, ok bool) {
			switch {
			case !ok:
				w.renewLater(n, w.ms(50))
			case granted.(Time) == 0:
				w.leaseStep(n, lease.Lost{})
			default:
				w.leaseStep(n, lease.Renewed{Start: lease.Time(began), TTL: lease.Time(granted.(Time))})
				w.renewLater(n, worldTTL/3)
			}
		})
	})
}

func (w *world) leaseStep(n *node, ev lease.Event) {
	for _, effect := range n.lease.Step(lease.Time(n.clock(w)), ev) {
		switch e := effect.(type) {
		case lease.Deadline:
			n.deadline = Time(e.At)
		case lease.PhaseChanged:
			w.phaseChanged(n, e.Phase)
		}
	}
	if at, ok := n.lease.Wake(); ok {
		w.at(n, Time(float64(Time(at)-n.clock(w))/n.proc.rate)+simMillisecond, func() {
			if again, ok := n.lease.Wake(); ok && again <= lease.Time(n.clock(w)) {
				w.leaseStep(n, lease.Tick{})
			}
		})
	}
}

func (w *world) phaseChanged(n *node, phase driver.LeasePhase) {
	w.logf("%s: the lease is %s", n.id, phase)
	n.phase = phase
	w.hostStep(n, LeaseChanged{phase})
	if phase == driver.LeaseFenced {
		w.stats.fenced++
		w.recordStep(n, record.Fenced{})
		w.reread(n)
	}
}

// reread reads the store and lets the record machine decide; then it waits for a
// change. A change may be heard of late.
func (w *world) reread(n *node) {
	if n.reading || n.lease == nil {
		return
	}
	n.reading = true
	w.ask(n, func() any { return w.read() }, func(result any, ok bool) {
		n.reading = false
		if !ok {
			w.at(n, w.ms(50), func() { w.reread(n) })
			return
		}
		n.last = result.(snapshot)
		w.watch(n, n.last.change)
		w.recordStep(n, record.Read{
			Found: n.last.found, Record: n.last.record, Alive: n.last.alive, Unix: uint64(1_000_000 + w.now/simMillisecond),
		})
	})
}

func (w *world) watch(n *node, since int) {
	d := w.ms(60)
	if w.faulty(100) {
		d += w.ms(1500)
	}
	w.at(n, d, func() {
		switch {
		case n.reading || n.last.change != since:
		case w.store.change != since && !n.proc.cutFromStore && !w.store.down:
			w.reread(n)
		default:
			w.watch(n, since)
		}
	})
}

func (w *world) recordStep(n *node, ev record.Event) {
	for _, effect := range n.record.Step(record.Time(n.clock(w)), ev) {
		switch e := effect.(type) {
		case record.Write:
			since := n.last.version
			w.ask(n, func() any { return w.write(n, since, e.Record) }, func(any, bool) { w.reread(n) })
		case record.Publish:
			w.at(n, w.ms(20), func() { w.see(n, e.View) })
		case record.Removed:
			w.logf("%s is out: %s", n.id, e.Why)
			w.depose(n)
		case record.Refused:
			w.failf("%s is refused: %s", n.id, e.Why)
		case record.Left:
			w.logf("%s has left", n.id)
			delete(w.store.keys, n.id) // Unregister, which may as well be lost
			w.changed()
			again := n.removed
			w.end(n)
			if again {
				w.after(w.ms(50), func() { w.restart(n.proc) })
			}
		}
	}
	w.wakeRecord(n)
}

func (w *world) wakeRecord(n *node) {
	at, ok := n.record.Wake()
	if !ok || n.ended {
		return
	}
	d := Time(float64(Time(at)-n.clock(w))/n.proc.rate) + simMillisecond
	w.at(n, d, func() {
		if again, ok := n.record.Wake(); ok && again == at {
			w.recordStep(n, record.Tick{})
		}
	})
}

// depose ends a membership: whatever the incarnation hosts stops, and the process
// comes back under a new id.
func (w *world) depose(n *node) {
	if n.removed {
		return
	}
	n.removed = true
	if n.phase != driver.LeaseFenced {
		w.leaseStep(n, lease.Lost{})
	}
	w.stopAll(n)
	w.after(0, func() { w.emptied(n, 3000*simMillisecond) })
}

func (w *world) stopAll(n *node) {
	for _, id := range w.identities {
		if f, on := w.live[id][n.id]; on {
			w.stop(n, id, f)
		}
	}
}

// emptied waits until a member that leaves hosts nothing; one that does not get
// empty in time does not leave: its lease runs out.
func (w *world) emptied(n *node, patience Time) {
	w.inside(n, func() {
		w.stopAll(n)
		switch {
		case len(n.running) == 0 && (n.removed || n.host.leaving):
			w.recordStep(n, record.Leave{})
			w.reread(n)
			w.at(n, 3000*simMillisecond, func() { w.abandon(n) })
		case patience <= 0:
			w.abandon(n)
		default:
			w.after(100*simMillisecond, func() { w.emptied(n, patience-100*simMillisecond) })
		}
	})
}

// abandon ends an incarnation that did not get to leave.
func (w *world) abandon(n *node) {
	w.logf("%s ends without having left", n.id)
	w.end(n)
	if n.removed {
		w.restart(n.proc)
	}
}

// see brings a view to the placement machines.
func (w *world) see(n *node, v driver.View) {
	if v.Epoch <= n.seen || n.removed {
		return
	}
	before := w.kept(n)
	had := n.seen
	n.seen = v.Epoch
	ev := ViewChanged{View: v, Table: narrowTable(v, w.identities)}
	w.hostStep(n, ev)
	w.ownerStep(n, ev)
	if v.Previous == had {
		w.retained(n, before, ev.Table)
	}
}

// runWorld runs a seed.
func runWorld(seed uint64, broken worldFaults) *world {
	w := newWorld(seed, broken)
	w.run()
	return w
}

func TestWorld(t *testing.T) {
	var mu sync.Mutex // guards sum
	var sum worldStats
	runSeeds(t, *worldRuns, func(seed uint64, traced bool) *engine {
		w := newWorld(seed, worldFaults{})
		w.tracing = traced
		w.run()
		mu.Lock()
		defer mu.Unlock()
		sum.add(w.stats)
		return &w.engine
	})
	t.Logf("%d calls answered in %d turns; %d leases ended, %d turns refused and %d replies withheld because of it; "+
		"%d records founded; %d second activations of a kind that is best effort",
		sum.answered, sum.turns, sum.fenced, sum.refused, sum.withheld, sum.founded, sum.doubles)
	few := min(sum.answered/50, sum.fenced, 10*sum.withheld, 5*sum.refused, 3*sum.founded, 5*sum.doubles)
	if *simSeed == 0 && !t.Failed() && few < *worldRuns {
		t.Error("that is too little of something: the simulation does not do its work")
	}
}

func (s *worldStats) add(o worldStats) {
	s.answered += o.answered
	s.turns += o.turns
	s.refused += o.refused
	s.withheld += o.withheld
	s.fenced += o.fenced
	s.founded += o.founded
	s.doubles += o.doubles
}
