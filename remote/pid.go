package remote

import (
	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/wire/actorpb"
)

// ToProto makes a PID that a message can carry to another process. One of this
// system's own gets the address at which others reach it, once there is one. A nil
// PID gives nil.
func ToProto(system *actor.ActorSystem, pid *actor.PID) *actorpb.PID {
	if pid == nil {
		return nil
	}
	address := pid.Address
	if system.ProcessRegistry.IsLocal(pid) {
		address = system.Address()
	}
	return &actorpb.PID{Address: address, Id: pid.Id}
}

// FromProto makes a PID of one that came in a message. Nothing needs to exist
// there; nil gives nil, and what is sent to an empty one is a dead letter.
func FromProto(pid *actorpb.PID) *actor.PID {
	if pid == nil {
		return nil
	}
	return actor.NewPID(pid.GetAddress(), pid.GetId())
}
