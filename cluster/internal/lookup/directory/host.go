package directory

import (
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/cluster/internal/lookup/directorypb"
	machine "github.com/granary-go/granary/internal/directory"
)

// Events that stay in the process.
type (
	viewEvent  struct{ driver.View }
	leaseEvent struct{}
	beginEvent struct {
		identity driver.Identity
		token    driver.Fence
	}
	storeEvent  struct{ machine.Event }
	tickEvent   struct{}
	settleQuery struct{}
	settled     struct{}
)

// hostActor drives the machine of this member and watches what it has activated.
type hostActor struct {
	lookup  *Lookup
	machine *machine.Host
	began   time.Time
	view    driver.View
	lease   driver.LeasePhase // as the machine was told
	asked   uint64
	askers  map[uint64]*actor.PID
	traced  map[uint64]driver.Identity // the questions under way that have a header
	headers map[driver.Identity]actor.MessageHeader
	pids    map[driver.Identity]*actor.PID
	active  map[string]machine.Stopped // by the id of the PID
	tick    *time.Timer
	due     machine.Time
}

func hostProps(l *Lookup) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &hostActor{
			lookup: l, began: time.Now(), machine: machine.NewHost(l.cfg.Self, machine.HostConfig{}),
			askers: make(map[uint64]*actor.PID), traced: make(map[uint64]driver.Identity), pids: make(map[driver.Identity]*actor.PID), active: make(map[string]machine.Stopped),
			headers: make(map[driver.Identity]actor.MessageHeader),
		}
		// An instance made anew would have forgotten what it hosts.
	}, actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, func(reason any) actor.Directive {
		l.failed(reason)
		return actor.StopDirective
	})), actor.WithoutDefaults())
}

// Receive implements actor.Actor.
func (a *hostActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case viewEvent:
		a.view = m.View
		a.step(ctx, machine.ViewChanged{View: m.View})
	case storeEvent:
		a.step(ctx, m.Event)
	case beginEvent:
		a.step(ctx, machine.StopBegun{Identity: m.identity, Token: m.token})
	case leaseEvent:
		a.lookAtLease(ctx)
	case tickEvent:
		a.tick = nil
		a.step(ctx, machine.Tick{})
	case *actor.Terminated:
		a.terminated(ctx, m.Who)
	case settleQuery:
		ctx.Respond(settled{})
	case *pb.Place:
		a.placeFor(ctx, m)
	case *pb.Greeting:
		if a.believed(ctx, m.From) {
			a.step(ctx, machine.Greeted{From: driver.MemberID(m.From), Epoch: m.Epoch})
		}
	case *pb.GreetingSeen:
		if a.believed(ctx, m.From) {
			a.step(ctx, machine.GreetingSeen{From: driver.MemberID(m.From), Epoch: m.Epoch})
		}
	case *pb.Inquiry:
		ctx.Respond(a.report(m))
	case *actor.Stopped:
		if a.tick != nil {
			a.tick.Stop()
		}
		a.lookup.failed(nil)
	}
}

// believed takes greetings only from the address that the member has in the
// view. One whose view has not come yet cannot be judged; the machine asks for
// that view, and the greeting comes again.
func (a *hostActor) believed(ctx actor.Context, from string) bool {
	m, in := a.view.Member(driver.MemberID(from))
	if sender := ctx.Sender(); sender == nil || in && sender.Address != m.Address {
		a.lookup.cfg.Logger.Warn("directory: greeting refused: its sender is not the member it names", "member", from)
		return false
	}
	return true
}

func (a *hostActor) placeFor(ctx actor.Context, m *pb.Place) {
	if ctx.Sender() == nil {
		return
	}
	if m.Epoch > a.view.Epoch {
		a.lookup.cfg.Refresh(m.Epoch)
	}
	a.asked++
	a.askers[a.asked] = ctx.Sender()
	id := driver.Identity{Kind: m.Kind, Name: m.Name}
	if header := ctx.MessageHeader(); len(header) > 0 {
		a.traced[a.asked], a.headers[id] = id, header
	}
	a.step(ctx, machine.Place{Request: a.asked, Identity: id, Over: fence(m.Over)})
}

func (a *hostActor) report(m *pb.Inquiry) *pb.Report {
	phase, token := a.machine.Phase(driver.Identity{Kind: m.Kind, Name: m.Name})
	era, open := a.machine.Era()
	return &pb.Report{Phase: phase, Token: wireToken(token), Era: era.Number, Founder: era.Founder, Open: open}
}

// terminated hears that the last handler of an activation has returned.
func (a *hostActor) terminated(ctx actor.Context, pid *actor.PID) {
	ended, mine := a.active[pid.Id]
	if !mine {
		return
	}
	delete(a.active, pid.Id)
	delete(a.pids, ended.Identity)
	a.step(ctx, ended)
}

// step lets the machine know how the lease is before anything else: a process
// that was paused must not act on what it knew before.
func (a *hostActor) step(ctx actor.Context, ev machine.Event) {
	a.lookAtLease(ctx)
	a.carry(ctx, ev)
	a.arm(ctx)
}

func (a *hostActor) lookAtLease(ctx actor.Context) {
	if lease := a.lookup.cfg.Lease; lease != nil && a.lease != driver.LeaseFenced {
		if phase := lease.Phase(); phase != a.lease {
			a.lease = phase
			a.carry(ctx, machine.LeaseChanged{Phase: phase})
		}
	}
}

func (a *hostActor) now() machine.Time { return machine.Time(time.Since(a.began)) }

// arm sees to it that a tick comes when the machine wants one.
func (a *hostActor) arm(ctx actor.Context) {
	now := a.now()
	wake := a.machine.Wake(now)
	if a.tick != nil {
		if a.due <= wake {
			return
		}
		a.tick.Stop()
	}
	a.due = wake
	root, self := a.lookup.cfg.System.Root, ctx.Self()
	a.tick = time.AfterFunc(time.Duration(wake-now), func() { root.Send(self, tickEvent{}) })
}

func (a *hostActor) carry(ctx actor.Context, ev machine.Event) {
	l := a.lookup
	for _, effect := range a.machine.Step(a.now(), ev) {
		switch e := effect.(type) {
		case machine.Start:
			pid := l.cfg.Activator.Activate(e.Identity, e.Token, a.headers[e.Identity])
			a.active[pid.Id] = machine.Stopped(e)
			a.pids[e.Identity] = pid
			ctx.Watch(pid)
		case machine.Stop:
			if pid := a.pids[e.Identity]; pid != nil {
				ctx.Stop(pid)
			}
		case machine.Answer:
			ctx.Send(a.askers[e.Request], &pb.Placed{Outcome: uint32(e.Outcome), Entry: wireEntry(e.Entry), Why: e.Why})
			delete(a.askers, e.Request)
			if id, was := a.traced[e.Request]; was {
				delete(a.traced, e.Request)
				delete(a.headers, id)
			}
		case machine.Greet:
			if to, in := a.view.Member(e.To); in {
				ctx.Request(pidOf(to), &pb.Greeting{From: string(l.cfg.Self), Epoch: e.Epoch})
			}
		case machine.SeeGreeting:
			if to, in := a.view.Member(e.To); in {
				ctx.Request(pidOf(to), &pb.GreetingSeen{From: string(l.cfg.Self), Epoch: e.Epoch})
			}
		case machine.Refresh:
			l.cfg.Refresh(e.Epoch)
		case machine.EraChanged:
			a.eraChanged(e)
		case machine.Violation:
			l.cfg.Logger.Error("directory: placement audit: "+e.What, "grain", e.Identity)
		default:
			l.operate(e)
		}
	}
}

func (a *hostActor) eraChanged(e machine.EraChanged) {
	l := a.lookup
	if !e.Open {
		l.cfg.Logger.Info("directory: the store of the identity lookup begins a new era, or may have lost entries; no grain is placed until all members have written back what they host",
			"era", e.Era.Number)
		return
	}
	l.cfg.Logger.Info("directory: the store of the identity lookup takes entries", "era", e.Era.Number)
	if e.Mine {
		l.sweep(a.view, e.Era)
	}
}
