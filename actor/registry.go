package actor

import (
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// localAddress is the address of a system that no transport serves. PIDs that
// were made before the transport started carry it and stay valid.
const localAddress = "nonhost"

const registryShards = 64

type addressResolver func(pid *PID) (Process, bool)

// ProcessRegistry knows the processes of one system by their ids. Its methods
// may be called by any goroutine.
type ProcessRegistry struct {
	address    atomic.Pointer[string]
	resolvers  atomic.Pointer[[]addressResolver]
	mu         sync.Mutex // serialises writers of resolvers
	sequence   atomic.Uint64
	seed       maphash.Seed
	deadLetter Process
	shards     [registryShards]registryShard
}

type registryShard struct {
	mu   sync.RWMutex
	refs map[string]*processRef // guarded by mu
	_    [32]byte               // keeps neighbours off one cache line
}

func newProcessRegistry(deadLetter Process) *ProcessRegistry {
	r := &ProcessRegistry{seed: maphash.MakeSeed(), deadLetter: deadLetter}
	r.SetAddress(localAddress)
	return r
}

// SetAddress sets the address under which other processes reach this system. A
// transport calls it once, before anything is sent to another process.
func (r *ProcessRegistry) SetAddress(address string) { r.address.Store(&address) }

// Address returns the system's address, "nonhost" until a transport set one.
func (r *ProcessRegistry) Address() string { return *r.address.Load() }

// RegisterAddressResolver adds a resolver for PIDs whose address is not this
// system's: it returns the process that stands for such a PID, and false if that
// address is not its business. Resolvers are asked in the order of registration,
// on every send: they should be fast and must not block.
func (r *ProcessRegistry) RegisterAddressResolver(resolver func(pid *PID) (Process, bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []addressResolver
	if old := r.resolvers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = append(all, resolver)
	r.resolvers.Store(&all)
}

// Add registers p under id. If the id is taken it returns the PID of the one
// that has it, and false.
func (r *ProcessRegistry) Add(p Process, id string) (*PID, bool) {
	pid := NewPID(r.Address(), id)
	return pid, r.add(&processRef{process: p, registry: r}, pid)
}

// Remove takes the process that pid leads to out of the registry; its id is free
// again. PIDs of other addresses and unknown ids are ignored.
func (r *ProcessRegistry) Remove(pid *PID) {
	if pid == nil || !r.isLocal(pid.Address) {
		return
	}
	if ref := r.lookup(pid.Id); ref != nil {
		r.remove(ref, pid.Id)
	}
}

// Get returns the process that pid leads to. If there is none it returns the
// process that makes dead letters of what it is sent, and false.
func (r *ProcessRegistry) Get(pid *PID) (Process, bool) {
	switch {
	case pid == nil:
		return r.deadLetter, false
	case r.isLocal(pid.Address):
		return r.GetLocal(pid.Id)
	default:
		return r.remote(pid)
	}
}

// GetLocal is [ProcessRegistry.Get] for an id of this system.
func (r *ProcessRegistry) GetLocal(id string) (Process, bool) {
	if ref := r.lookup(id); ref != nil {
		return ref.process, true
	}
	return r.deadLetter, false
}

func (r *ProcessRegistry) remote(pid *PID) (Process, bool) {
	if resolvers := r.resolvers.Load(); resolvers != nil {
		for _, resolve := range *resolvers {
			if p, ok := resolve(pid); ok && p != nil {
				return p, true
			}
		}
	}
	return r.deadLetter, false
}

// IsLocal reports whether pid is one of this system: its address is the system's, or
// the one that PIDs have before a transport gave it an address.
func (r *ProcessRegistry) IsLocal(pid *PID) bool { return pid != nil && r.isLocal(pid.Address) }

func (r *ProcessRegistry) isLocal(address string) bool {
	return address == localAddress || address == "" || address == r.Address()
}

// key is what sets of PIDs are keyed by: two PIDs of one actor have one key,
// even if one of them was made before the transport set the address.
func (r *ProcessRegistry) key(pid *PID) pidKey {
	if r.isLocal(pid.Address) {
		return pidKey{id: pid.Id}
	}
	return pidKey{address: pid.Address, id: pid.Id}
}

type pidKey struct{ address, id string }

// add registers ref under pid's id and makes pid remember it.
func (r *ProcessRegistry) add(ref *processRef, pid *PID) bool {
	s := r.shard(pid.Id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if existing, taken := s.refs[pid.Id]; taken {
		pid.cached.Store(existing)
		return false
	}
	if s.refs == nil {
		s.refs = make(map[string]*processRef)
	}
	s.refs[pid.Id] = ref
	pid.cached.Store(ref)
	return true
}

// remove frees id if ref still has it. PIDs that remember ref look again.
func (r *ProcessRegistry) remove(ref *processRef, id string) {
	ref.dead.Store(true)
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs[id] == ref {
		delete(s.refs, id)
	}
}

func (r *ProcessRegistry) lookup(id string) *processRef {
	s := r.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.refs[id]
}

// collect returns what pick selects from every process, at some moment of the call.
func collect[T any](r *ProcessRegistry, pick func(Process) (T, bool)) []T {
	var all []T
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.RLock()
		for _, ref := range s.refs {
			if v, ok := pick(ref.process); ok {
				all = append(all, v)
			}
		}
		s.mu.RUnlock()
	}
	return all
}

func (r *ProcessRegistry) shard(id string) *registryShard {
	return &r.shards[maphash.String(r.seed, id)%registryShards]
}

// nextID returns prefix, a dollar sign and a number in base 36 that is unique in
// this system.
func (r *ProcessRegistry) nextID(prefix string) string {
	buf := make([]byte, 0, 64)
	buf = append(buf, prefix...)
	buf = append(buf, '$')
	return string(strconv.AppendUint(buf, r.sequence.Add(1), 36))
}
