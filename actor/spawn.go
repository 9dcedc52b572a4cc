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
	return c.system.spawnPrefix(props, c.pid.Id+"/"+prefix, c)
}

// SpawnNamed implements [SpawnerContext].
func (c *cell) SpawnNamed(props *Props, name string) (*PID, error) {
	return c.system.spawnNamed(props, name, c)
}

func (s *ActorSystem) spawnPrefix(props *Props, prefix string, parent *cell) *PID {
	for {
		pid, err := s.spawn(props, s.ProcessRegistry.nextID(prefix), parent)
		switch {
		case err == nil:
			return pid
		case errors.Is(err, ErrNameExists):
		default:
			s.EventStream.Publish(&SpawnFailedEvent{PID: pid, Err: err})
			s.logger.Error("actor: cannot spawn; what is sent to it is a dead letter", "actor", pid, "error", err)
			return pid
		}
	}
}

func (s *ActorSystem) spawnNamed(props *Props, name string, parent *cell) (*PID, error) {
	if name == "" {
		return s.NewLocalPID(""), ErrEmptyName
	}
	id := name
	if parent != nil {
		id = parent.pid.Id + "/" + name
	}
	return s.spawn(props, id, parent)
}

// spawn makes, registers and starts an actor. The producer runs here, in the
// caller's goroutine, so that the caller learns of its failure; what arrives in
// the meantime waits in the mailbox.
func (s *ActorSystem) spawn(props *Props, id string, parent *cell) (*PID, error) {
	if props == nil || props.producer == nil {
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
	instance, err := props.produce()
	if err != nil {
		c.abort()
		return s.NewLocalPID(id), err
	}
	c.actor = instance
	if parent != nil {
		parent.extra().children.put(s.ProcessRegistry.key(&c.pid), &c.pid)
	}
	s.dispatcher.schedule(c, c.parent)
	return &c.pid, nil
}

func (p *Props) produce() (instance Actor, err error) {
	defer func() {
		if r := recover(); r != nil {
			instance, err = nil, fmt.Errorf("%w: %v", ErrProducerPanicked, r)
		}
	}()
	if instance = p.producer(); instance == nil {
		return nil, ErrNoActor
	}
	return instance, nil
}
