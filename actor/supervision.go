package actor

// Directive is what a supervisor decides about an actor that failed.
type Directive int

const (
	// ResumeDirective lets the actor go on with its next message, its state as
	// it is.
	ResumeDirective Directive = iota
	// RestartDirective replaces the instance by a new one.
	RestartDirective
	// StopDirective stops the actor.
	StopDirective
	// EscalateDirective makes the failure the supervisor's own.
	EscalateDirective
)

// String returns the directive as a verb.
func (d Directive) String() string {
	switch d {
	case ResumeDirective:
		return "resume"
	case RestartDirective:
		return "restart"
	case StopDirective:
		return "stop"
	case EscalateDirective:
		return "escalate"
	default:
		return "unknown directive"
	}
}

// DeciderFunc decides by what an actor panicked with.
type DeciderFunc func(reason any) Directive

// DefaultDecider restarts whatever the reason.
func DefaultDecider(any) Directive { return RestartDirective }

// Supervisor is a parent as its strategy sees it.
type Supervisor interface {
	// Children returns all children, failed or not.
	Children() []*PID
	// EscalateFailure makes the failure the supervisor's own: it is suspended
	// and its own supervisor decides.
	EscalateFailure(reason, message any)
	// RestartChildren replaces the instances of the given children.
	RestartChildren(pids ...*PID)
	// StopChildren stops the given children.
	StopChildren(pids ...*PID)
	// ResumeChildren lets the given children go on.
	ResumeChildren(pids ...*PID)
}

// SupervisorStrategy decides what happens when a child failed. The child is
// suspended until one of supervisor's methods is called for it. HandleFailure
// runs while the supervisor handles no other message; if it panics the child is
// stopped. A decision to restart is without effect if the child has been restarted
// since it failed, or is about to be, by a decision about another one.
type SupervisorStrategy interface {
	// HandleFailure is told who failed, with what the handler panicked, and at
	// which message. rs are the child's own statistics.
	HandleFailure(system *ActorSystem, supervisor Supervisor, child *PID, rs *RestartStatistics, reason, message any)
}

// SupervisorEvent is published for each actor that a decision about a failure
// changes, when it is carried out: for each child that is restarted or stopped,
// whatever the strategy. With EscalateDirective, Child is who failed; if that has no
// parent it is stopped.
type SupervisorEvent struct {
	Child     *PID
	Reason    any
	Directive Directive
}
