package actor

import (
	"log/slog"
	"sync/atomic"
)

// PID names an actor, or another [Process], wherever it lives. It is used as a
// pointer and its fields do not change once it was handed out. The zero PID
// names nobody: what is sent to it is a dead letter.
//
// A PID remembers the local process that it led to, so that a second send
// through the same PID looks nothing up.
type PID struct {
	// Address is the host and port of the process where the actor lives, or
	// "nonhost" in a system without a transport.
	Address string
	// Id is unique at Address. A child's is its parent's, a slash and a name.
	Id string

	cached atomic.Pointer[processRef]
}

// NewPID returns a PID for the given address and id. Nothing needs to exist there.
func NewPID(address, id string) *PID {
	return &PID{Address: address, Id: id}
}

// String returns "address/id", and "<nil>" for a nil PID.
func (p *PID) String() string {
	if p == nil {
		return "<nil>"
	}
	return p.Address + "/" + p.Id
}

// LogValue makes a log line show the PID as String does.
func (p *PID) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Equal reports whether both name the same actor: the same address and id, or
// both nil.
func (p *PID) Equal(other *PID) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p == other || (p.Id == other.Id && p.Address == other.Address)
}

// resolve returns the process that p leads to in the system of r. It is on the
// path of every send; p is not nil.
func (p *PID) resolve(r *ProcessRegistry) Process {
	if ref := p.cached.Load(); ref != nil && ref.registry == r && !ref.dead.Load() {
		return ref.process
	}
	return p.resolveSlow(r)
}

func (p *PID) resolveSlow(r *ProcessRegistry) Process {
	if !r.isLocal(p.Address) {
		process, _ := r.remote(p)
		return process
	}
	if ref := r.lookup(p.Id); ref != nil {
		p.cached.Store(ref)
		return ref.process
	}
	p.cached.Store(nil)
	return r.deadLetter
}
