package partition

import (
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
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
	// headers go with grants of these identities.
	headers map[driver.Identity]actor.MessageHeader
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
	to, in := m.view.Member(s.To)
	if !in {
		return
	}
	var header actor.MessageHeader
	if grant, ok := s.Message.(*placement.Spawn); ok {
		header = m.headers[grant.Identity]
	}
	ctx.Request(pidOf(to, m.peer), withHeader(header, &packet{From: m.lookup.cfg.Self, Message: s.Message}))
}

// withHeader puts a header around a message, if it is not empty.
func withHeader(header actor.MessageHeader, message any) any {
	if len(header) == 0 {
		return message
	}
	return &actor.MessageEnvelope{Header: header, Message: message}
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
	m.lookup.cfg.Logger.Warn("partition: placement message refused: its sender is not the member it names",
		"member", from, "address", address)
}

// ownerActor drives the owner machine of this member.
type ownerActor struct {
	machineActor
	machine *placement.Owner
	asked   uint64
	waited  int // of those who asked, who were not answered in the same step
	askers  map[uint64]*actor.PID
	// traced are the questions under way that came with a header, or that somebody is
	// told of.
	traced map[uint64]traced
}

// traced is such a question, and who is told of its answer, if anybody is.
type traced struct {
	identity driver.Identity
	done     func(outcome string, at driver.MemberID)
}

func ownerProps(l *Lookup) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &ownerActor{
			machineActor: machineActor{lookup: l, peer: HostName, began: time.Now()},
			machine: placement.NewOwner(l.cfg.Self, placement.OwnerConfig{
				Resend: placement.Time(l.cfg.Resend), Patience: placement.Time(2 * ownerWait),
				Pick: lookup.NewChooser(&l.cfg.Config).Pick,
			}),
			askers: make(map[uint64]*actor.PID), traced: make(map[uint64]traced),
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
			if header := ctx.MessageHeader(); len(header) > 0 || a.lookup.cfg.Placing != nil {
				a.trace(a.asked, m.Identity, header)
			}
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
			if len(a.traced) > 0 {
				a.traceEnds(e)
			}
		case placement.Refresh:
			a.lookup.cfg.Refresh(e.Epoch)
		case placement.Forged:
			a.refused(e.From, e.Address)
		case placement.Violation:
			a.lookup.cfg.Logger.Error("partition: placement audit: "+e.What, "grain", e.Identity)
		}
	}
	a.arm(ctx, a.machine.Pending())
}

// trace keeps the header of a question, if there is one, for the grant that it may lead to.
func (a *ownerActor) trace(request uint64, id driver.Identity, header actor.MessageHeader) {
	t := traced{identity: id}
	if placing := a.lookup.cfg.Placing; placing != nil {
		var further actor.MessageHeader
		if further, t.done = placing(header, id); further != nil {
			header = further
		}
	}
	a.traced[request] = t
	if len(header) == 0 {
		return
	}
	if a.headers == nil {
		a.headers = make(map[driver.Identity]actor.MessageHeader)
	}
	if _, has := a.headers[id]; !has {
		a.headers[id] = header
	}
}

func (a *ownerActor) traceEnds(answer placement.Answer) {
	t, was := a.traced[answer.Request]
	if !was {
		return
	}
	delete(a.traced, answer.Request)
	delete(a.headers, t.identity)
	if t.done != nil {
		t.done(answer.Outcome.String(), answer.Host)
	}
}
