package actor

import (
	"math/rand/v2"
	"time"
)

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
	return newCounting(maxNrOfRetries, withinDuration, decider, false)
}

// NewAllForOneStrategy is [NewOneForOneStrategy], but that a decision to restart
// or stop is carried out on all children. It is for children that cannot go on
// without each other. Failures are counted for the child that failed. Children that
// fail together are restarted together once.
func NewAllForOneStrategy(maxNrOfRetries int, withinDuration time.Duration, decider DeciderFunc) SupervisorStrategy {
	return newCounting(maxNrOfRetries, withinDuration, decider, true)
}

// counting asks a decider, and stops what fails too often.
type counting struct {
	maxRetries int
	within     time.Duration
	decide     DeciderFunc
	all        bool
}

func newCounting(maxRetries int, within time.Duration, decider DeciderFunc, all bool) *counting {
	if decider == nil {
		decider = DefaultDecider
	}
	return &counting{maxRetries: maxRetries, within: within, decide: decider, all: all}
}

// HandleFailure implements SupervisorStrategy.
func (s *counting) HandleFailure(_ *ActorSystem, supervisor Supervisor, child *PID, rs *RestartStatistics, reason, message any) {
	directive := s.decide(reason)
	if directive == RestartDirective && rs.Fail(s.maxRetries, s.within) {
		directive = StopDirective
	}
	concerned := []*PID{child}
	if s.all {
		concerned = supervisor.Children()
	}
	switch directive {
	case ResumeDirective:
		supervisor.ResumeChildren(child)
	case RestartDirective:
		supervisor.RestartChildren(concerned...)
	case EscalateDirective:
		supervisor.EscalateFailure(reason, message)
	default:
		supervisor.StopChildren(concerned...)
	}
}

// NewRestartingStrategy returns a strategy that always restarts the child, at
// once and as often as it fails. A child that fails whenever it starts keeps a
// core busy: see [NewExponentialBackoffStrategy].
func NewRestartingStrategy() SupervisorStrategy { return restarting{} }

type restarting struct{}

// HandleFailure implements SupervisorStrategy.
func (restarting) HandleFailure(_ *ActorSystem, supervisor Supervisor, child *PID, _ *RestartStatistics, _, _ any) {
	supervisor.RestartChildren(child)
}

// NewExponentialBackoffStrategy returns a strategy that always restarts the
// child, later with every failure: after initialBackoff, then twice as long each
// time, with up to a tenth more by chance, so that many do not come back at one
// moment. It never waits longer than backoffWindow, and begins anew when the
// child has not failed for backoffWindow. The child handles no message while it
// waits; the supervisor does. An initialBackoff of 0 or less is 100 ms, and a
// backoffWindow shorter than initialBackoff is as long.
func NewExponentialBackoffStrategy(backoffWindow, initialBackoff time.Duration) SupervisorStrategy {
	if initialBackoff <= 0 {
		initialBackoff = 100 * time.Millisecond
	}
	return &exponential{window: max(backoffWindow, initialBackoff), initial: initialBackoff}
}

type exponential struct{ window, initial time.Duration }

// HandleFailure implements SupervisorStrategy.
func (s *exponential) HandleFailure(_ *ActorSystem, supervisor Supervisor, child *PID, rs *RestartStatistics, _, _ any) {
	// The time of good behaviour begins when the child has been restarted.
	good := s.window
	if rs.streak > 0 {
		good += s.backoff(rs.streak)
	}
	wait := s.backoff(rs.Streak(max(good, s.window)))
	wait = min(wait+rand.N(wait/10+1), s.window)
	time.AfterFunc(wait, func() { supervisor.RestartChildren(child) })
}

// backoff returns how long to wait after the given number of failures.
func (s *exponential) backoff(failures int) time.Duration {
	wait := s.initial
	for i := 1; i < failures && wait < s.window; i++ {
		wait *= 2
		if wait <= 0 { // too long to be counted
			wait = s.window
		}
	}
	return min(wait, s.window)
}

// RestartStatistics remember an actor's failures, no more of them than a
// strategy asks about.
type RestartStatistics struct {
	failures []time.Time
	total    uint64
	last     time.Time // of the failures that Streak was told of
	streak   int
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

// Streak records a failure at this moment and returns how many there were in a
// row, this one included, each within the given time after the one before.
func (rs *RestartStatistics) Streak(within time.Duration) int {
	rs.total++
	now := time.Now()
	if rs.streak > 0 && now.Sub(rs.last) > within {
		rs.streak = 0
	}
	rs.streak++
	rs.last = now
	return rs.streak
}

// Total returns how often the actor failed in its life.
func (rs *RestartStatistics) Total() uint64 { return rs.total }
