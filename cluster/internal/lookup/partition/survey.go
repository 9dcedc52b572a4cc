package partition

import (
	"context"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// OwnerSurvey is what the owner actor of a member knows.
type OwnerSurvey struct {
	// Acquiring counts slots that are owned and not open yet.
	Acquiring int
	// Waiting counts the resolves that have not been answered.
	Waiting int
	// Asked counts the resolves that came since the member joined, and Waited
	// those of them that were not answered in the step that took them: for a
	// slot to open, for a view, or for a host.
	Asked, Waited int
	// Violations counts what the audit has found since the member joined.
	Violations int
	// Hosts says where the identities of open slots are.
	Hosts map[placement.Entry]driver.MemberID
}

// HostSurvey is what the host actor of a member has.
type HostSurvey struct {
	// Stopping holds each activation, and whether it is stopping.
	Stopping map[placement.Entry]bool
	// Violations counts what the audit has found since the member joined.
	Violations int
}

// SurveyOwner asks this member's owner actor. It copies the whole table.
func (l *Lookup) SurveyOwner(ctx context.Context) (OwnerSurvey, error) {
	return actor.Ask[OwnerSurvey](ctx, l.cfg.System.Root, l.owner, surveyQuery{})
}

// SurveyHost asks this member's host actor. It copies the whole table.
func (l *Lookup) SurveyHost(ctx context.Context) (HostSurvey, error) {
	return actor.Ask[HostSurvey](ctx, l.cfg.System.Root, l.host, surveyQuery{})
}

func (a *ownerActor) survey() OwnerSurvey {
	s := OwnerSurvey{
		Acquiring: a.machine.Acquiring(), Waiting: len(a.askers), Asked: int(a.asked), Waited: a.waited, Violations: a.machine.Violations(),
		Hosts: make(map[placement.Entry]driver.MemberID),
	}
	a.machine.Each(func(e placement.Entry, host driver.MemberID) bool {
		s.Hosts[e] = host
		return true
	})
	return s
}

func (a *hostActor) survey() HostSurvey {
	s := HostSurvey{Stopping: make(map[placement.Entry]bool), Violations: a.machine.Violations()}
	a.machine.Each(func(e placement.Entry, stopping bool) bool {
		s.Stopping[e] = stopping
		return true
	})
	return s
}
