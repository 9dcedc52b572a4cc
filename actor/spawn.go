package actor

import (
	"errors"
	"fmt"
)

// SpawnFailedEvent is published when Spawn or SpawnPrefix could not make an
// actor. PID is what they returned; it leads to dead letters.
type SpawnFailedEvent struct {
	PID *PID
	Err error
}

// Spawn implements [SpawnerContext].
func (c *cell) Spawn(props *Props) *PID { return c.SpawnPrefix(props, "") }

// SpawnPrefix implements [SpawnerContext].
func (c *cell) SpawnPrefix(props *Props, prefix string) *PID {
	return c.system.spawnPrefix(props, c.pid.Id+"/"+prefix, c.context(), c.props.spawn)
}

// SpawnNamed implements [SpawnerContext].
func (c *cell) SpawnNamed(props *Props, name string) (*PID, error) {
	return c.system.spawnNamed(props, name, c.pid.Id+"/"+name, c.context(), c.props.spawn)
}

// maxNames is how many generated names are tried. Each is new: only a user who
// takes such names, or a middleware, can be in the way.
const maxNames = 1000

func (s *ActorSystem) spawnPrefix(props *Props, prefix string, parent SpawnerContext, via SpawnFunc) (pid *PID) {
	err := ErrNameExists
	for range maxNames {
		pid, err = s.spawn(props, s.ProcessRegistry.nextID(prefix), parent, via)
		if err == nil {
			return pid
		}
		if !errors.Is(err, ErrNameExists) {
			break
		}
	}
	s.EventStream.Publish(&SpawnFailedEvent{PID: pid, Err: err})
	s.logger.Error("actor: cannot spawn; what is sent to it is a dead letter", "actor", pid, "error", err)
	return pid
}

func (s *ActorSystem) spawnNamed(props *Props, name, id string, parent SpawnerContext, via SpawnFunc) (*PID, error) {
	if name == "" {
		return s.NewLocalPID(""), ErrEmptyName
	}
	return s.spawn(props, id, parent, via)
}

// spawn makes an actor through the parent's middleware. It never returns a nil
// PID.
func (s *ActorSystem) spawn(props *Props, id string, parent SpawnerContext, via SpawnFunc) (pid *PID, err error) {
	if via == nil {
		return s.spawnNow(props, id, parent.cell())
	}
	defer func() {
		if pid == nil {
			pid = s.NewLocalPID(id)
		}
	}()
	defer recoverAs(&err, ErrMiddlewarePanicked)
	pid, err = via(s, id, props, parent)
	if pid == nil && err == nil {
		err = ErrNoPID
	}
	return pid, err
}

// spawnNow makes, registers and starts an actor. The producer runs here, in the
// caller's goroutine, so that the caller learns of its failure; what arrives in
// the meantime waits in the mailbox.
func (s *ActorSystem) spawnNow(props *Props, id string, parent *cell) (*PID, error) {
	if props == nil {
		return s.NewLocalPID(id), ErrNoProducer
	}
	props = props.under(s)
	if err := props.Err(); err != nil {
		return s.NewLocalPID(id), err
	}
	if props.producer == nil {
		return s.NewLocalPID(id), ErrNoProducer
	}
	if parent != nil && parent.life >= lifeStopping {
		return s.NewLocalPID(id), fmt.Errorf("%w: %s spawns no more children", ErrStopped, &parent.pid)
	}
	c := newCell(s, props, id, parent)
	if !s.ProcessRegistry.add(&c.ref, &c.pid) {
		pid := s.NewLocalPID(id)
		return pid, fmt.Errorf("%w: %s", ErrNameExists, pid)
	}
	// Asked after the registration, so that a shutdown either sees the actor
	// or is seen here.
	if s.stopped.Load() {
		c.abort()
		return s.NewLocalPID(id), fmt.Errorf("%w: the system is shut down", ErrStopped)
	}
	equipped := false
	defer func() {
		if !equipped { // also if the producer called runtime.Goexit
			c.abort()
		}
	}()
	if err := c.equip(); err != nil {
		return s.NewLocalPID(id), err
	}
	equipped = true
	if parent != nil {
		parent.extra().children.put(s.ProcessRegistry.key(&c.pid), &c.pid)
	}
	c.schedule(parent)
	return &c.pid, nil
}

// equip gives the cell a new instance, and that its context.
func (c *cell) equip() error {
	instance, err := c.props.produce(c.system)
	if err != nil {
		return err
	}
	if err := c.decorate(); err != nil {
		return err
	}
	c.actor = instance
	return nil
}

func (p *Props) produce(system *ActorSystem) (instance Actor, err error) {
	defer recoverAs(&err, ErrProducerPanicked)
	if instance = p.producer(system); instance == nil {
		return nil, ErrNoActor
	}
	return instance, nil
}
