package partition

import (
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// hostActor drives the host machine of this member and watches what it has
// activated.
type hostActor struct {
	machineActor
	machine *placement.Host
	pids    map[placement.Entry]*actor.PID
	entries map[string]placement.Entry
	lease   driver.LeasePhase // as the machine was told
}

func hostProps(l *Lookup) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &hostActor{
			machineActor: machineActor{lookup: l, peer: OwnerName, began: time.Now()},
			machine:      placement.NewHost(l.cfg.Self, placement.HostConfig{Resend: placement.Time(l.cfg.Resend)}),
			pids:         make(map[placement.Entry]*actor.PID),
			entries:      make(map[string]placement.Entry),
		}
	}, l.stopOnFailure(NameOf(HostName, l.cfg.Self)), actor.WithoutDefaults())
}

// Receive implements actor.Actor.
func (a *hostActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case viewEvent:
		a.view = m.view
		a.step(ctx, placement.ViewChanged{View: m.view, Table: m.table})
	case *packet:
		if r, ok := a.received(ctx, m); ok {
			a.step(ctx, r)
		}
	case beginEvent:
		a.step(ctx, m.StopBegun)
	case leaseEvent:
		a.lookAtLease(ctx)
	case *actor.Terminated:
		a.terminated(ctx, m.Who)
	case tickEvent:
		a.tick = nil
		a.step(ctx, placement.Tick{})
	case settleQuery:
		ctx.Respond(settled{})
	case surveyQuery:
		ctx.Respond(a.survey())
	case sampleQuery:
		ctx.Respond(Sample{Hosted: a.machine.Sample(m.limit), Violations: a.machine.Violations()})
	case probeQuery:
		ctx.Respond(a.probe(m))
	case *explainRequest:
		ctx.Respond(a.explain(m))
	case *actor.Stopping:
		a.stop()
	}
}

// terminated hears that the last handler of an activation has returned.
func (a *hostActor) terminated(ctx actor.Context, pid *actor.PID) {
	entry, mine := a.entries[pid.Id]
	if !mine {
		return
	}
	delete(a.entries, pid.Id)
	delete(a.pids, entry)
	a.step(ctx, placement.Stopped(entry))
}

// step lets the machine know how the lease is before anything else (rule 11): a
// process that was paused must not act on what it knew before.
func (a *hostActor) step(ctx actor.Context, ev placement.Event) {
	a.lookAtLease(ctx)
	a.carry(ctx, ev)
}

func (a *hostActor) lookAtLease(ctx actor.Context) {
	if lease := a.lookup.cfg.Lease; lease != nil && a.lease != driver.LeaseFenced {
		if phase := lease.Phase(); phase != a.lease {
			a.lease = phase
			a.carry(ctx, placement.LeaseChanged{Phase: phase})
		}
	}
}

func (a *hostActor) carry(ctx actor.Context, ev placement.Event) {
	for _, effect := range a.machine.Step(a.now(), ev) {
		switch e := effect.(type) {
		case placement.Send:
			a.send(ctx, e)
		case placement.Start:
			pid := a.lookup.cfg.Activator.Activate(e.Identity, e.Fence, headerOf(ctx, e.Identity))
			a.entries[pid.Id] = placement.Entry(e)
			a.pids[placement.Entry(e)] = pid
			ctx.Watch(pid)
		case placement.Stop:
			ctx.Stop(a.pids[placement.Entry(e)])
		case placement.Violation:
			a.lookup.cfg.Logger.Error("partition: placement audit: "+e.What, "grain", e.Identity)
		case placement.Forged:
			a.refused(e.From, e.Address)
		case placement.Refresh:
			a.lookup.cfg.Refresh(e.Epoch)
		}
	}
	a.arm(ctx, a.machine.Pending())
}

// headerOf gives the header of the message at hand, if that is the grant of the
// identity.
func headerOf(ctx actor.Context, id driver.Identity) actor.MessageHeader {
	if p, ok := ctx.Message().(*packet); ok {
		if grant, ok := p.Message.(*placement.Spawn); ok && grant.Identity == id {
			return ctx.MessageHeader()
		}
	}
	return nil
}
