package actor

import "fmt"

// Dispatcher says who runs an actor: what [WithDispatcher] takes.
type Dispatcher int

const (
	// DispatcherDefault runs the actor in one of the goroutines that actors
	// share. A handler may block there: as many more run as are needed.
	DispatcherDefault Dispatcher = iota
	// DispatcherDedicated gives the actor a goroutine of its own, from spawn to
	// stop. It is for handlers that block nearly always, or that are bound to a
	// thread by runtime.LockOSThread.
	DispatcherDedicated
	// DispatcherSynchronous runs the actor in the goroutine that sends to it,
	// before Send returns, unless somebody else runs it at the moment. It is
	// for tests: actors that send to each other without end run out of stack,
	// and one that waits for another's answer waits for ever if that one waits
	// for it.
	DispatcherSynchronous
)

func (d Dispatcher) check() error {
	if d < DispatcherDefault || d > DispatcherSynchronous {
		return fmt.Errorf("%d is no Dispatcher; use one of its constants", d)
	}
	return nil
}

// scheduling returns what runs one actor; nil for the system's own dispatcher.
func (d Dispatcher) scheduling() scheduling {
	switch d {
	case DispatcherDedicated:
		return &dedicated{wake: make(chan struct{}, 1), gone: make(chan struct{})}
	case DispatcherSynchronous:
		return synchronous{}
	default:
		return nil
	}
}

// special is what actors have whose props ask for more than the usual. It is
// fixed at birth, but for the context.
type special struct {
	mailbox mailbox    // nil: cell.user
	runner  scheduling // nil: the system's dispatcher
	// context is what the decorators made of the cell, for this instance. It
	// belongs to whoever runs the cell.
	context Context
}

// scheduling runs one actor.
type scheduling interface {
	// schedule is as dispatcher's, but any goroutine may run the cell.
	schedule(c *cell)
	// end is called by who runs the cell, when it has stopped.
	end()
}

func newSpecial(p *propsConfig) *special {
	if p.mailbox.make == nil && p.dispatcher == DispatcherDefault && len(p.decorators) == 0 {
		return nil
	}
	s := &special{runner: p.dispatcher.scheduling()}
	if p.mailbox.make != nil {
		s.mailbox = p.mailbox.make()
	}
	return s
}

// schedule has the cell run, which has just been taken.
func (c *cell) schedule(by *cell) {
	if c.special != nil && c.special.runner != nil {
		c.special.runner.schedule(c)
		return
	}
	c.system.dispatcher.schedule(c, by)
}

// ended lets go of what the actor has beside its cell.
func (c *cell) ended() {
	if c.special == nil {
		return
	}
	if c.special.runner != nil {
		c.special.runner.end()
	}
	c.special.context = nil
}

type synchronous struct{}

func (synchronous) schedule(c *cell) { c.run() }
func (synchronous) end()             {}

// dedicated is the goroutine of one actor. It begins with the actor's first
// message and ends with the actor.
type dedicated struct {
	wake chan struct{} // holds one: the cell was taken for the goroutine
	gone chan struct{} // closed when the actor has stopped
	// begun and over belong to whoever has taken the cell.
	begun, over bool
}

func (d *dedicated) schedule(c *cell) {
	switch {
	case d.over: // a message that came too late for the goroutine
		go c.run()
		return
	case !d.begun:
		d.begun = true
		go d.work(c)
	}
	d.wake <- struct{}{} // there is room: nobody takes a cell twice
}

func (d *dedicated) end() {
	d.over = true
	close(d.gone)
}

func (d *dedicated) work(c *cell) {
	exited := true
	defer func() {
		if exited { // runtime.Goexit was called in the handler
			go d.work(c)
		}
	}()
	for {
		select {
		case <-d.wake:
			c.run()
		case <-d.gone:
			exited = false
			return
		}
	}
}
