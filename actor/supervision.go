package actor

import "time"

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
// stopped.
type SupervisorStrategy interface {
	// HandleFailure is told who failed, with what the handler panicked, and at
	// which message. rs are the child's own statistics.
	HandleFailure(system *ActorSystem, supervisor Supervisor, child *PID, rs *RestartStatistics, reason, message any)
}

// SupervisorEvent is published for each decision about an actor that failed.
type SupervisorEvent struct {
	Child     *PID
	Reason    any
	Directive Directive
}

const (
	defaultMaxRestarts   = 10
	defaultRestartWindow = 10 * time.Second
)

var defaultStrategy = NewOneForOneStrategy(defaultMaxRestarts, defaultRestartWindow, DefaultDecider)

// NewOneForOneStrategy returns a strategy that treats each child by itself. A
// child that should be restarted, but failed more than maxNrOfRetries times
// within withinDuration, is stopped; with a withinDuration of 0 or less its
// failures are counted for ever. A nil decider is [DefaultDecider].
func NewOneForOneStrategy(maxNrOfRetries int, withinDuration time.Duration, decider DeciderFunc) SupervisorStrategy {
	if decider == nil {
		decider = DefaultDecider
	}
	return &oneForOne{maxRetries: maxNrOfRetries, within: withinDuration, decide: decider}
}

type oneForOne struct {
	maxRetries int
	within     time.Duration
	decide     DeciderFunc
}

// HandleFailure implements SupervisorStrategy.
func (s *oneForOne) HandleFailure(system *ActorSystem, supervisor Supervisor, child *PID, rs *RestartStatistics, reason, message any) {
	directive := s.decide(reason)
	if directive == RestartDirective && rs.Fail(s.maxRetries, s.within) {
		directive = StopDirective
	}
	system.EventStream.Publish(&SupervisorEvent{Child: child, Reason: reason, Directive: directive})
	switch directive {
	case ResumeDirective:
		supervisor.ResumeChildren(child)
	case RestartDirective:
		supervisor.RestartChildren(child)
	case EscalateDirective:
		supervisor.EscalateFailure(reason, message)
	default:
		supervisor.StopChildren(child)
	}
}

// RestartStatistics remember an actor's failures, no more of them than a
// strategy asks about.
type RestartStatistics struct {
	failures []time.Time
	total    uint64
}

// Fail records a failure at this moment and reports whether there were more than
// limit within the given time, or ever if within is 0 or less.
func (rs *RestartStatistics) Fail(limit int, within time.Duration) (tooMany bool) {
	rs.total++
	limit = max(limit, 0)
	if within <= 0 {
		return rs.total > uint64(limit)
	}
	now := time.Now()
	fresh := 0
	for fresh < len(rs.failures) && now.Sub(rs.failures[fresh]) > within {
		fresh++
	}
	fresh = max(fresh, len(rs.failures)-limit)
	rs.failures = append(rs.failures[:0], rs.failures[fresh:]...)
	rs.failures = append(rs.failures, now)
	return len(rs.failures) > limit
}

// Total returns how often the actor failed in its life.
func (rs *RestartStatistics) Total() uint64 { return rs.total }
