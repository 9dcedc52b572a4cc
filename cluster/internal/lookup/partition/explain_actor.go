package partition

import (
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/internal/placement"
)

func (a *ownerActor) explain(r *explainRequest) *ownerSays {
	s := a.machine.Explain(r.Identity)
	e := &ownerSays{Owner: explanation.Owner{
		Member: explanation.Member{ID: a.lookup.cfg.Self}, Epoch: s.Epoch, State: s.State.String(), Term: s.Term,
		MissingCount: len(s.Missing), Waiting: s.Waiting, Losers: len(s.Losers),
	}, history: a.history(r, a.machine.History)}
	for _, host := range s.Missing[:min(len(s.Missing), maxMissing)] {
		e.Missing = append(e.Missing, explanation.Member{ID: host})
	}
	if g := s.Entry; g != nil {
		e.Entry = &explanation.Entry{
			Phase: g.Phase.String(), Token: g.Fence.String(), Host: explanation.Member{ID: g.Host},
			Asking: g.Asking, Resent: g.Resent, Silent: g.Silent, Waiting: g.Waiting,
		}
	}
	return e
}

func (a *hostActor) explain(r *explainRequest) *hostSays {
	s := a.machine.Explain(r.Identity)
	e := &hostSays{Host: explanation.Host{
		Member: explanation.Member{ID: a.lookup.cfg.Self}, Epoch: s.Epoch, Leaving: s.Leaving,
		Promised: s.Promised, PromisedTo: explanation.Member{ID: s.PromisedTo}, Seq: s.Seq, Notices: len(s.Notices),
	}, history: a.history(r, a.machine.History)}
	if !s.Fence.IsZero() {
		if e.Token, e.Phase = s.Fence.String(), "running"; s.Phase == placement.Stopping {
			e.Phase = "stopping"
		}
	}
	if lease := a.lookup.cfg.Lease; lease != nil {
		e.Lease = lease.Phase().String()
	}
	return e
}

// history gives a machine's transitions by the clock on the wall.
func (m *machineActor) history(r *explainRequest, of func(driver.Identity, int) []placement.Transition) []explanation.Transition {
	if r.Transitions <= 0 {
		return nil
	}
	past := of(r.Identity, min(r.Transitions, maxTransitions))
	now, wall := m.now(), time.Now()
	out := make([]explanation.Transition, len(past))
	for i, t := range past {
		out[i] = explanation.Transition{At: wall.Add(time.Duration(t.At - now)), What: t.What.String(), Why: t.Why.String()}
		if t.Fence.Seq == 0 {
			out[i].Term = t.Fence.Term // a slot's
		} else {
			out[i].Token = t.Fence.String()
		}
		if t.Host != "" {
			out[i].Host = &explanation.Member{ID: t.Host}
		}
	}
	return out
}
