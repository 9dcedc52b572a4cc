package partition

import (
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// machineActor is what the owner and the host actor have in common: a pure
// machine, the clock it is given, and the tick it may want.
type machineActor struct {
	lookup *Lookup
	peer   string // the name of the actor that its messages go to
	began  time.Time
	view   driver.View
	tick   *time.Timer
}

func (m *machineActor) now() placement.Time { return placement.Time(time.Since(m.began)) }

// arm sees to it that a tick comes while the machine wants one.
func (m *machineActor) arm(ctx actor.Context, pending bool) {
	if !pending || m.tick != nil {
		return
	}
	root, self := m.lookup.cfg.System.Root, ctx.Self()
	m.tick = time.AfterFunc(m.lookup.cfg.Resend, func() { root.Send(self, tickEvent{}) })
}

func (m *machineActor) stop() {
	if m.tick != nil {
		m.tick.Stop()
	}
}

// send carries out a Send effect. A member that is not in the view is gone:
// the message is dropped, as the machine would drop its answer.
func (m *machineActor) send(ctx actor.Context, s placement.Send) {
	if to, in := m.view.Member(s.To); in {
		ctx.Request(pidOf(to, m.peer), &packet{From: m.lookup.cfg.Self, Message: s.Message})
	}
}

// received gives a packet the address that it came from, by which the machine
// believes it or not (rule 14); false if it came from nowhere.
func (m *machineActor) received(ctx actor.Context, p *packet) (placement.Received, bool) {
	sender := ctx.Sender()
	if sender == nil || sender.Address == "" {
		m.refused(p.From, "")
		return placement.Received{}, false
	}
	return placement.Received{From: p.From, Message: p.Message, Address: sender.Address}, true
}

func (m *machineActor) refused(from driver.MemberID, address string) {
	m.lookup.cfg.Logger.Warn("placement message refused: its sender is not the member it names",
		"member", from, "address", address)
}

// ownerActor drives the owner machine of this member.
type ownerActor struct {
	machineActor
	machine *placement.Owner
	asked   uint64
	waited  int // of those who asked, who were not answered in the same step
	askers  map[uint64]*actor.PID
}

func ownerProps(l *Lookup) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &ownerActor{
			machineActor: machineActor{lookup: l, peer: HostName, began: time.Now()},
			machine: placement.NewOwner(l.cfg.Self, placement.OwnerConfig{
				Resend: placement.Time(l.cfg.Resend), Patience: placement.Time(2 * ownerWait),
				Pick: newChooser(&l.cfg).pick,
			}),
			askers: make(map[uint64]*actor.PID),
		}
	}, l.stopOnFailure(NameOf(OwnerName, l.cfg.Self)), actor.WithoutDefaults())
}

// Receive implements actor.Actor.
func (a *ownerActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case viewEvent:
		a.view = m.view
		a.step(ctx, placement.ViewChanged{View: m.view, Table: m.table})
	case *packet:
		if r, ok := a.received(ctx, m); ok {
			a.step(ctx, r)
		}
	case *resolveRequest:
		if ctx.Sender() != nil {
			a.asked++
			a.askers[a.asked] = ctx.Sender()
			a.step(ctx, placement.Resolve{
				Request: a.asked, Epoch: m.Epoch, Identity: m.Identity, Hint: m.Hint, Suspect: m.Suspect,
			})
			if a.askers[a.asked] != nil {
				a.waited++
			}
		}
	case tickEvent:
		a.tick = nil
		a.step(ctx, placement.Tick{})
	case surveyQuery:
		ctx.Respond(a.survey())
	case loadQuery:
		ctx.Respond(a.machine.Load())
	case sampleQuery:
		ctx.Respond(Sample{Entered: a.machine.Sample(m.limit), Violations: a.machine.Violations()})
	case probeQuery:
		ctx.Respond(a.probe(m))
	case *explainRequest:
		ctx.Respond(a.explain(m))
	case *actor.Stopping:
		a.stop()
	}
}

func (a *ownerActor) step(ctx actor.Context, ev placement.Event) {
	for _, effect := range a.machine.Step(a.now(), ev) {
		switch e := effect.(type) {
		case placement.Send:
			a.send(ctx, e)
		case placement.Answer:
			ctx.Send(a.askers[e.Request], &resolveAnswer{Outcome: e.Outcome, Host: e.Host, Fence: e.Fence, Epoch: e.Epoch})
			delete(a.askers, e.Request)
		case placement.Refresh:
			a.lookup.cfg.Refresh(e.Epoch)
		case placement.Forged:
			a.refused(e.From, e.Address)
		case placement.Violation:
			a.lookup.cfg.Logger.Error("placement audit: "+e.What, "identity", e.Identity)
		}
	}
	a.arm(ctx, a.machine.Pending())
}
