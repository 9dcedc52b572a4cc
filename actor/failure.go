package actor

import "runtime/debug"

// fail suspends the cell after its actor panicked with reason, and leaves the
// decision to its supervisor.
func (c *cell) fail(reason any) {
	message := c.env.Message
	c.env = MessageEnvelope{}
	if c.extras != nil {
		c.extras.forgetStashed()
	}
	if c.life >= lifeStopping {
		return
	}
	c.system.logger.Error("actor: failed", "actor", &c.pid, "reason", reason, "message", typeName(message), "stack", stack())
	c.suspend(reason, message)
}

func (c *cell) suspend(reason, message any) {
	c.suspended = true
	x := c.extra()
	if x.stats == nil {
		x.stats = &RestartStatistics{}
	}
	f := &failure{who: c, generation: c.generation.now(), stats: x.stats, reason: reason, message: message}
	if c.parent == nil {
		c.supervise(c.props.guardian, (*guardian)(c), f)
		return
	}
	c.parent.SendSystemMessage(&c.parent.pid, f)
}

// childFailed decides about a child. One that a parent is about to stop anyway
// needs no decision.
func (c *cell) childFailed(f *failure) {
	if c.life == lifeAlive {
		c.supervise(c.props.supervisor, (*supervisor)(c), f)
	}
}

func (c *cell) supervise(strategy SupervisorStrategy, by Supervisor, f *failure) {
	if strategy == nil {
		strategy = defaultStrategy
	}
	by = &decision{by, c.system.EventStream, f, f.who.generation.past(f.generation)}
	defer func() {
		if r := recover(); r != nil {
			c.system.logger.Error("actor: a supervisor strategy panicked; the actor it was to decide about is stopped",
				"actor", &f.who.pid, "panic", r, "stack", stack())
			by.StopChildren(&f.who.pid)
		}
	}()
	strategy.HandleFailure(c.system, by, &f.who.pid, f.stats, f.reason, f.message)
}

// exited goes on where runtime.Goexit cut the handling of a message short.
func (c *cell) exited() {
	if c.life == lifeAlive {
		c.fail(errGoexit)
		return
	}
	c.mute = true
	c.control.Push(proceedMessage)
}

// decision is a supervisor that tells of what a strategy has it do.
type decision struct {
	Supervisor
	events *EventStream
	about  *failure
	// restarted says that who failed has been restarted since, or is about to be, for a
	// sister's failure.
	restarted bool
}

func (d *decision) publish(directive Directive, pids ...*PID) {
	for _, pid := range pids {
		d.events.Publish(&SupervisorEvent{Child: pid, Reason: d.about.reason, Directive: directive})
	}
}

// failed reports whether pid is who failed. A decision that comes later must not
// reach somebody else who has the name by then.
func (d *decision) failed(pid *PID) bool { return pid == &d.about.who.pid }

// carryOut tells others of the decision as the supervisor does, and who failed
// directly, unless that has stopped meanwhile.
func (d *decision) carryOut(directive Directive, toFailed func(who *cell), pids []*PID, others func(pids ...*PID)) {
	for _, pid := range pids {
		if !d.failed(pid) {
			d.publish(directive, pid)
			others(pid)
			continue
		}
		if who := d.about.who; who.door.Load() != shut {
			d.publish(directive, pid)
			toFailed(who)
		}
	}
}

func (d *decision) EscalateFailure(reason, message any) {
	d.publish(EscalateDirective, &d.about.who.pid)
	d.Supervisor.EscalateFailure(reason, message)
}

func (d *decision) RestartChildren(pids ...*PID) {
	if d.restarted {
		return
	}
	d.carryOut(RestartDirective, func(who *cell) { who.orderRestart(d.about.generation) }, pids, d.Supervisor.RestartChildren)
}

func (d *decision) StopChildren(pids ...*PID) {
	d.carryOut(StopDirective, func(who *cell) { who.SendSystemMessage(&who.pid, stopMessage) }, pids, d.Supervisor.StopChildren)
}

func (d *decision) ResumeChildren(pids ...*PID) {
	d.carryOut(ResumeDirective, func(who *cell) { who.SendSystemMessage(&who.pid, resumeMessage) }, pids, d.Supervisor.ResumeChildren)
}

// supervisor is a cell as the supervisor of its children.
type supervisor cell

func (s *supervisor) Children() []*PID { return (*cell)(s).Children() }

func (s *supervisor) EscalateFailure(reason, message any) { (*cell)(s).suspend(reason, message) }

func (s *supervisor) RestartChildren(pids ...*PID) { s.system.restart(pids) }
func (s *supervisor) StopChildren(pids ...*PID)    { s.system.tell(stopMessage, pids) }
func (s *supervisor) ResumeChildren(pids ...*PID)  { s.system.tell(resumeMessage, pids) }

// guardian is a cell without a parent as its own supervisor.
type guardian cell

func (g *guardian) Children() []*PID { return []*PID{&g.pid} }

func (g *guardian) EscalateFailure(any, any) { g.StopChildren(&g.pid) }

func (g *guardian) RestartChildren(pids ...*PID) { g.system.restart(pids) }
func (g *guardian) StopChildren(pids ...*PID)    { g.system.tell(stopMessage, pids) }
func (g *guardian) ResumeChildren(pids ...*PID)  { g.system.tell(resumeMessage, pids) }

func stack() string { return string(debug.Stack()) }

// restart restarts the instances that the actors have at this moment.
func (s *ActorSystem) restart(pids []*PID) {
	for _, pid := range pids {
		if c, ok := pid.resolve(s.ProcessRegistry).(*cell); ok {
			c.orderRestart(c.generation.now())
		}
	}
}

// orderRestart has the cell replace an instance, if it is the present one when the cell comes to it.
func (c *cell) orderRestart(number uint32) {
	c.generation.order(number)
	c.SendSystemMessage(&c.pid, &restart{number})
}

func (s *ActorSystem) tell(message any, pids []*PID) {
	for _, pid := range pids {
		s.sendSystem(pid, message)
	}
}
