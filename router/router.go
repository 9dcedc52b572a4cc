package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"

	"github.com/granary-go/granary/actor"
)

// MaxPoolSize is how many routees a pool spawns at most.
const MaxPoolSize = 10_000

// NewBroadcastPool returns props of a router that spawns size routees and hands
// every message on to each of them. Who asks gets an answer from each; a future
// takes the first. size is from 0 to [MaxPoolSize]; opts are those of the router's
// own actor, such as actor.WithSupervisor for its routees.
func NewBroadcastPool(size int, routee *actor.Props, opts ...actor.PropsOption) *actor.Props {
	return pool(newBroadcast, size, routee, opts)
}

// NewRandomPool returns props of a router that spawns size routees, and hands each
// message on to one of them by chance. See [NewBroadcastPool] for the arguments.
func NewRandomPool(size int, routee *actor.Props, opts ...actor.PropsOption) *actor.Props {
	return pool(newRandom, size, routee, opts)
}

// NewRoundRobinPool returns props of a router that spawns size routees, and hands
// each message on to the next of them. See [NewBroadcastPool] for the arguments.
func NewRoundRobinPool(size int, routee *actor.Props, opts ...actor.PropsOption) *actor.Props {
	return pool(newRoundRobin, size, routee, opts)
}

// NewConsistentHashPool returns props of a router that spawns size routees, and
// hands messages of one [Hasher.Hash] on to one of them: see [NewConsistentHashGroup]
// for which. See [NewBroadcastPool] for the arguments.
func NewConsistentHashPool(size int, routee *actor.Props, opts ...actor.PropsOption) *actor.Props {
	return pool(newConsistentHash, size, routee, opts)
}

// NewBroadcastGroup is [NewBroadcastPool] for routees that are there already.
func NewBroadcastGroup(routees ...*actor.PID) *actor.Props { return group(newBroadcast, routees) }

// NewRandomGroup is [NewRandomPool] for routees that are there already.
func NewRandomGroup(routees ...*actor.PID) *actor.Props { return group(newRandom, routees) }

// NewRoundRobinGroup is [NewRoundRobinPool] for routees that are there already.
func NewRoundRobinGroup(routees ...*actor.PID) *actor.Props { return group(newRoundRobin, routees) }

// NewConsistentHashGroup returns props of a router that hands messages of one
// [Hasher.Hash] on to one routee. When a routee leaves, only the messages that went
// to it go elsewhere; when one comes, only those that go to it. Routers with
// the same routees choose alike, in whatever process and order. A message that is
// no [Hasher] is a dead letter.
func NewConsistentHashGroup(routees ...*actor.PID) *actor.Props {
	return group(newConsistentHash, routees)
}

func pool(routing func() routing, size int, routee *actor.Props, opts []actor.PropsOption) *actor.Props {
	var err error
	switch {
	case size < 0 || size > MaxPoolSize:
		err = fmt.Errorf("router: a pool of %d routees; it has 0 to %d", size, MaxPoolSize)
	case routee == nil:
		err = errors.New("router: a pool without props for its routees")
	default:
		err = routee.Err()
	}
	return actor.PropsFromProducer(func() actor.Actor {
		return &router{routing: routing(), props: routee, size: size}
	}, append(slices.Clone(opts), actor.WithInvalid(err))...)
}

func group(routing func() routing, routees []*actor.PID) *actor.Props {
	var err error
	if slices.Contains(routees, nil) {
		err = errors.New("router: a routee is nil")
	}
	routees = slices.Clone(routees)
	return actor.PropsFromProducer(func() actor.Actor {
		return &router{routing: routing(), given: routees}
	}, actor.WithInvalid(err))
}

// router is the actor of every router.
type router struct {
	routing routing
	props   *actor.Props // of those it spawns; nil for a group
	size    int          // how many it begins with
	given   []*actor.PID // whom it begins with
	spawned uint64       // how many it has spawned; names them

	routees  []routee
	draining bool
}

type routee struct {
	pid *actor.PID
	own bool // the router has spawned it
	name
}

// name is what tells an actor from others.
type name struct {
	full string // the same for all addresses of this process
	at   uint64 // its hash
}

// nameOf gives the name of an actor. A PID of this process may have been made before
// that had its address.
func nameOf(ctx actor.Context, pid *actor.PID) name {
	full := pid.String()
	if here := ctx.ActorSystem(); here.ProcessRegistry.IsLocal(pid) {
		full = here.NewLocalPID(pid.Id).String()
	}
	return name{full, hash(full)}
}

// Receive implements actor.Actor.
func (r *router) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		for _, pid := range r.given {
			r.add(ctx, pid)
		}
		r.spawn(ctx, r.size)
	case *actor.Terminated:
		r.ended(ctx, m)
	case *actor.Stopping, *actor.Stopped, *actor.Restarting, *actor.ReceiveTimeout:
	case *AddRoutee, *RemoveRoutee, *AdjustPoolSize, *GetRoutees, *BroadcastMessage, *Drain:
		if reflect.ValueOf(m).IsNil() {
			r.refuse(ctx, ctx.Message(), actor.DeadLetterNilMessage)
			return
		}
		r.control(ctx)
	default:
		r.route(ctx)
	}
}

func (r *router) control(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *AddRoutee:
		r.add(ctx, m.PID)
	case *RemoveRoutee:
		r.remove(ctx, m.PID)
	case *AdjustPoolSize:
		r.adjust(ctx, m.Change)
	case *GetRoutees:
		ctx.Respond(r.list())
	case *BroadcastMessage:
		r.broadcast(ctx, m.Message)
	case *Drain:
		r.drain(ctx)
	}
}

func (r *router) route(ctx actor.Context) {
	if reason := r.closed(); reason != "" {
		r.refuse(ctx, ctx.Message(), reason)
		return
	}
	switch i, ok := r.routing.pick(r.routees, ctx.Message()); {
	case !ok:
		r.refuse(ctx, ctx.Message(), ReasonNoHash)
	case i == everybody:
		for _, to := range r.routees {
			ctx.Forward(to.pid)
		}
	default:
		ctx.Forward(r.routees[i].pid)
	}
}

// closed says why the router hands nothing on.
func (r *router) closed() string {
	switch {
	case r.draining:
		return ReasonDraining
	case len(r.routees) == 0:
		return ReasonNoRoutees
	default:
		return ""
	}
}

func (r *router) broadcast(ctx actor.Context, message any) {
	header := ctx.MessageHeader()
	if e, ok := message.(*actor.MessageEnvelope); ok && e != nil {
		message = e.Message
		if e.Header != nil {
			header = e.Header
		}
	}
	if reason := r.closed(); reason != "" || message == nil {
		r.refuse(ctx, message, reason)
		return
	}
	env := &actor.MessageEnvelope{Message: message, Header: header}
	for _, to := range r.routees {
		ctx.RequestWithCustomSender(to.pid, env, ctx.Sender())
	}
}

func (r *router) refuse(ctx actor.Context, message any, reason string) {
	if message == nil {
		reason = actor.DeadLetterNilMessage
	}
	ctx.ActorSystem().DeadLetter(ctx.Self(),
		actor.MessageEnvelope{Message: message, Sender: ctx.Sender(), Header: ctx.MessageHeader()}, reason)
}

func (r *router) find(n name) int {
	return slices.IndexFunc(r.routees, func(to routee) bool { return to.at == n.at && to.full == n.full })
}

// ended takes note of the end of a routee.
func (r *router) ended(ctx actor.Context, end *actor.Terminated) {
	if end == nil || end.Who == nil {
		return
	}
	if r.drop(nameOf(ctx, end.Who)) && end.Why == actor.TerminatedReasonAddressTerminated {
		ctx.Logger().Warn("router: a routee is given up, as the connection to its process was lost; AddRoutee brings it back", "routee", end.Who)
	}
	r.stopDrained(ctx)
}

// drain begins the end.
func (r *router) drain(ctx actor.Context) {
	r.draining = true
	for _, to := range r.routees {
		if to.own {
			ctx.Poison(to.pid)
		}
	}
	r.stopDrained(ctx)
}

func (r *router) stopDrained(ctx actor.Context) {
	if r.draining && r.owned() == 0 {
		ctx.Stop(ctx.Self())
	}
}

// add takes in a routee that somebody else has spawned.
func (r *router) add(ctx actor.Context, pid *actor.PID) {
	switch {
	case pid == nil:
		ctx.Logger().Warn("router: AddRoutee without a PID")
	case r.find(nameOf(ctx, pid)) < 0:
		r.routees = append(r.routees, routee{pid: pid, name: nameOf(ctx, pid)})
		ctx.Watch(pid)
	}
}

// spawn makes more routees of a pool. Their names are numbers, so that a pool that
// starts anew hashes as the one before.
func (r *router) spawn(ctx actor.Context, n int) {
	if r.draining {
		return
	}
	for range min(n, MaxPoolSize-r.owned()) {
		r.spawned++
		pid, err := ctx.SpawnNamed(r.props, strconv.FormatUint(r.spawned, 10))
		if err != nil {
			ctx.Logger().Error("router: cannot spawn a routee", "error", err)
			return
		}
		r.routees = append(r.routees, routee{pid: pid, own: true, name: nameOf(ctx, pid)})
	}
}

func (r *router) owned() (n int) {
	for _, to := range r.routees {
		if to.own {
			n++
		}
	}
	return n
}

func (r *router) remove(ctx actor.Context, pid *actor.PID) {
	if pid == nil {
		return
	}
	i := r.find(nameOf(ctx, pid))
	if i < 0 {
		return
	}
	to := r.routees[i]
	r.routees = slices.Delete(r.routees, i, i+1)
	if to.own {
		ctx.Poison(to.pid)
	} else {
		ctx.Unwatch(to.pid)
	}
}

// drop forgets a routee, and reports whether it was one.
func (r *router) drop(n name) bool {
	i := r.find(n)
	if i >= 0 {
		r.routees = slices.Delete(r.routees, i, i+1)
	}
	return i >= 0
}

func (r *router) adjust(ctx actor.Context, change int) {
	if r.props == nil {
		ctx.Logger().Warn("router: AdjustPoolSize of a group, which spawns nobody; send it AddRoutee or RemoveRoutee")
		return
	}
	r.spawn(ctx, change)
	for i := len(r.routees) - 1; i >= 0 && change < 0; i-- {
		if r.routees[i].own {
			r.remove(ctx, r.routees[i].pid)
			change++
		}
	}
}

func (r *router) list() *Routees {
	all := &Routees{PIDs: make([]*actor.PID, len(r.routees))}
	for i, to := range r.routees {
		all.PIDs[i] = to.pid
	}
	return all
}

// everybody is what a routing picks that broadcasts.
const everybody = -1

// routing picks one of the routees, of which there are some. It has no answer for
// a message that does not say where it belongs.
type routing interface {
	pick(routees []routee, message any) (i int, ok bool)
}

type broadcast struct{}

func newBroadcast() routing { return broadcast{} }

func (broadcast) pick([]routee, any) (int, bool) { return everybody, true }

type random struct{}

func newRandom() routing { return random{} }

func (random) pick(routees []routee, _ any) (int, bool) { return rand.IntN(len(routees)), true }

type roundRobin struct{ next int }

func newRoundRobin() routing { return &roundRobin{} }

func (r *roundRobin) pick(routees []routee, _ any) (int, bool) {
	if r.next >= len(routees) {
		r.next = 0
	}
	r.next++
	return r.next - 1, true
}
