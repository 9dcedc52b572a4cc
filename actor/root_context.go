package actor

import "time"

// RootContext is how code that is not an actor spawns, sends and stops. It may
// be used by any goroutine.
type RootContext struct {
	system *ActorSystem
}

var (
	_ SenderContext  = (*RootContext)(nil)
	_ SpawnerContext = (*RootContext)(nil)
	_ StopperContext = (*RootContext)(nil)
)

// ActorSystem returns the system this is the root of.
func (r *RootContext) ActorSystem() *ActorSystem { return r.system }

// Send implements [SenderContext].
func (r *RootContext) Send(pid *PID, message any) { r.system.send(pid, envelopeOf(message, nil)) }

// Request implements [SenderContext]. The root has no PID, so this is Send.
func (r *RootContext) Request(pid *PID, message any) { r.Send(pid, message) }

// RequestWithCustomSender implements [SenderContext].
func (r *RootContext) RequestWithCustomSender(pid *PID, message any, sender *PID) {
	r.system.send(pid, envelopeOf(message, sender))
}

// RequestFuture implements [Requester].
func (r *RootContext) RequestFuture(pid *PID, message any, timeout time.Duration) *Future {
	return r.system.request(pid, message, timeout)
}

// Spawn implements [SpawnerContext].
func (r *RootContext) Spawn(props *Props) *PID { return r.SpawnPrefix(props, "") }

// SpawnPrefix implements [SpawnerContext].
func (r *RootContext) SpawnPrefix(props *Props, prefix string) *PID {
	return r.system.spawnPrefix(props, prefix, nil)
}

// SpawnNamed implements [SpawnerContext].
func (r *RootContext) SpawnNamed(props *Props, name string) (*PID, error) {
	return r.system.spawnNamed(props, name, nil)
}

// Stop implements [StopperContext].
func (r *RootContext) Stop(pid *PID) { r.system.stop(pid) }

// StopFuture implements [StopperContext].
func (r *RootContext) StopFuture(pid *PID) *Future { return r.system.stopFuture(pid) }

// Poison implements [StopperContext].
func (r *RootContext) Poison(pid *PID) { r.system.poison(pid) }

// PoisonFuture implements [StopperContext].
func (r *RootContext) PoisonFuture(pid *PID) *Future { return r.system.poisonFuture(pid) }
