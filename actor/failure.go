package actor

import "runtime/debug"

// fail suspends the cell after its actor panicked with reason, and leaves the
// decision to its supervisor.
func (c *cell) fail(reason any) {
	message := c.env.Message
	c.env = MessageEnvelope{}
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
	f := &failure{who: &c.pid, stats: x.stats, reason: reason, message: message}
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
	by = &decision{by, c.system.EventStream, f}
	defer func() {
		if r := recover(); r != nil {
			c.system.logger.Error("actor: a supervisor strategy panicked; the actor it was to decide about is stopped",
				"actor", f.who, "panic", r, "stack", stack())
			by.StopChildren(f.who)
		}
	}()
	strategy.HandleFailure(c.system, by, f.who, f.stats, f.reason, f.message)
}

// exited goes on where runtime.Goexit cut the handling of a message short.
func (c *cell) exited() {
	if c.life == lifeAlive {
		c.fail(errGoexit)
		return
	}
	c.mute = true
	c.stopChildren()
	c.childrenGone()
}

// decision is a supervisor that tells of what a strategy has it do.
type decision struct {
	Supervisor
	events *EventStream
	about  *failure
}

func (d *decision) publish(directive Directive, pids ...*PID) {
	for _, pid := range pids {
		d.events.Publish(&SupervisorEvent{Child: pid, Reason: d.about.reason, Directive: directive})
	}
}

func (d *decision) EscalateFailure(reason, message any) {
	d.publish(EscalateDirective, d.about.who)
	d.Supervisor.EscalateFailure(reason, message)
}

func (d *decision) RestartChildren(pids ...*PID) {
	d.publish(RestartDirective, pids...)
	d.Supervisor.RestartChildren(pids...)
}

func (d *decision) StopChildren(pids ...*PID) {
	d.publish(StopDirective, pids...)
	d.Supervisor.StopChildren(pids...)
}

func (d *decision) ResumeChildren(pids ...*PID) {
	d.publish(ResumeDirective, pids...)
	d.Supervisor.ResumeChildren(pids...)
}

// supervisor is a cell as the supervisor of its children.
type supervisor cell

func (s *supervisor) Children() []*PID { return (*cell)(s).Children() }

func (s *supervisor) EscalateFailure(reason, message any) { (*cell)(s).suspend(reason, message) }

func (s *supervisor) RestartChildren(pids ...*PID) { s.system.tell(restartMessage, pids) }
func (s *supervisor) StopChildren(pids ...*PID)    { s.system.tell(stopMessage, pids) }
func (s *supervisor) ResumeChildren(pids ...*PID)  { s.system.tell(resumeMessage, pids) }

// guardian is a cell without a parent as its own supervisor.
type guardian cell

func (g *guardian) Children() []*PID { return []*PID{&g.pid} }

func (g *guardian) EscalateFailure(any, any) { g.StopChildren(&g.pid) }

func (g *guardian) RestartChildren(pids ...*PID) { g.system.tell(restartMessage, pids) }
func (g *guardian) StopChildren(pids ...*PID)    { g.system.tell(stopMessage, pids) }
func (g *guardian) ResumeChildren(pids ...*PID)  { g.system.tell(resumeMessage, pids) }

func stack() string { return string(debug.Stack()) }

func (s *ActorSystem) tell(message any, pids []*PID) {
	for _, pid := range pids {
		s.sendSystem(pid, message)
	}
}
