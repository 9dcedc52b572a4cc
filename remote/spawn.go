package remote

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

var (
	// ErrUnknownKind says that the other process has not registered the kind.
	ErrUnknownKind = errors.New("remote: the process does not spawn this kind (WithKinds)")
	// ErrInvalidName says that an actor of another process cannot have the name.
	ErrInvalidName = errors.New("remote: the name of an actor has at most 1,024 bytes of valid UTF-8, no slash or dollar sign, and does not begin with \"granary.\"")
	// ErrSpawnFailed says that the other process could not make the actor.
	ErrSpawnFailed = errors.New("remote: the actor could not be spawned")
)

// Kind is a kind of actor that other processes may spawn here: see [WithKinds].
type Kind struct {
	name  string
	props *actor.Props
}

// NewKind names props for other processes.
func NewKind(kind string, props *actor.Props) *Kind { return &Kind{kind, props} }

// WithKinds lets every process that may connect spawn actors of these kinds here, as
// many as [WithMaxSpawned] allows. Without it nothing can be spawned from outside. Grains need none
// of this.
func WithKinds(kinds ...*Kind) ConfigOption {
	return func(c *Config) { c.kinds = append(slices.Clip(c.kinds), kinds...) }
}

// activatorID is the id of the actor that spawns on behalf of others.
const activatorID = ownPrefix + "activator"

const maxActorName = 1 << 10

func (c *Config) checkKinds() error {
	for i, k := range c.kinds {
		switch {
		case k == nil || k.name == "" || k.props == nil:
			return errors.New("WithKinds: a kind has a name and props")
		case k.props.Err() != nil:
			return fmt.Errorf("WithKinds: %q: %w", k.name, k.props.Err())
		case slices.ContainsFunc(c.kinds[:i], func(other *Kind) bool { return other.name == k.name }):
			return fmt.Errorf("WithKinds: there are two of the name %q", k.name)
		}
	}
	return nil
}

// startActivator spawns the activator if there is a kind.
func (r *Remote) startActivator() error {
	if len(r.config.kinds) == 0 {
		return nil
	}
	_, err := r.system.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor {
		return &activator{kinds: r.config.kinds, most: r.config.maxSpawned}
	}, actor.WithoutDefaults(), actor.WithSupervisor(actor.NewRestartingStrategy())), activatorID)
	return err
}

// activator spawns on behalf of others. Each kind has a child of its own, so that a
// producer that takes its time holds up no other kind.
type activator struct {
	kinds    []*Kind
	most     int
	spawners map[string]*actor.PID
}

// Receive implements actor.Actor.
func (a *activator) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.spawners = make(map[string]*actor.PID, len(a.kinds))
		for _, k := range a.kinds {
			s := &spawner{kind: k, most: a.most}
			a.spawners[k.name] = ctx.Spawn(actor.PropsFromFunc(s.receive, actor.WithoutDefaults()))
		}
	case *remotepb.SpawnRequest:
		spawner, known := a.spawners[m.GetKind()]
		if !known {
			ctx.Respond(&remotepb.SpawnResponse{Outcome: remotepb.SpawnResponse_OUTCOME_UNKNOWN_KIND})
			return
		}
		ctx.Forward(spawner)
	}
}

// spawner spawns one kind, and counts who is alive.
type spawner struct {
	kind  *Kind
	most  int
	alive int
}

func (s *spawner) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *remotepb.SpawnRequest:
		if s.alive >= s.most {
			ctx.Respond(&remotepb.SpawnResponse{Outcome: remotepb.SpawnResponse_OUTCOME_FAILED,
				Text: fmt.Sprintf("as many actors of the kind were spawned from outside as may be alive, %d (WithMaxSpawned)", s.most)})
			return
		}
		said := activate(ctx.ActorSystem(), s.kind.props, m.GetName())
		if said.Outcome == remotepb.SpawnResponse_OUTCOME_SPAWNED {
			s.alive++
			ctx.Watch(ctx.ActorSystem().NewLocalPID(said.Id))
		}
		ctx.Respond(said)
	case *actor.Terminated:
		s.alive--
	}
}

// activate spawns an actor that does not belong to the activator: it lives until it
// is stopped, or the system ends.
func activate(system *actor.ActorSystem, props *actor.Props, name string) *remotepb.SpawnResponse {
	if !validName(name) {
		return &remotepb.SpawnResponse{Outcome: remotepb.SpawnResponse_OUTCOME_INVALID}
	}
	if name == "" { // which is to fail like a given one, so not by SpawnPrefix
		name = "remote-" + strconv.FormatUint(rand.Uint64(), 36)
	}
	switch pid, err := system.Root.SpawnNamed(props, name); {
	case err == nil:
		return &remotepb.SpawnResponse{Outcome: remotepb.SpawnResponse_OUTCOME_SPAWNED, Id: pid.Id}
	case errors.Is(err, actor.ErrNameExists):
		return &remotepb.SpawnResponse{Outcome: remotepb.SpawnResponse_OUTCOME_NAME_EXISTS, Id: pid.Id}
	default:
		return &remotepb.SpawnResponse{Outcome: remotepb.SpawnResponse_OUTCOME_FAILED, Text: err.Error()}
	}
}

func validName(name string) bool {
	return len(name) <= maxActorName && utf8.ValidString(name) && !strings.ContainsAny(name, "/$") && !strings.HasPrefix(name, ownPrefix)
}

// SpawnNamed spawns an actor of a kind in the process at address, which has registered
// it ([WithKinds]), and waits for at most timeout, or, with one of 0 or less, for an
// answer or the end of the connection. An actor of that name that is there
// already is returned with [actor.ErrNameExists]. The other errors are
// [ErrUnknownKind], [ErrInvalidName], [ErrSpawnFailed], and those of a request: after
// [actor.ErrTimeout] or [ErrConnectionLost] the actor may be there.
func (r *Remote) SpawnNamed(address, name, kind string, timeout time.Duration) (*actor.PID, error) {
	if name == "" || !validName(name) {
		return nil, ErrInvalidName
	}
	return r.spawn(address, name, kind, timeout)
}

// Spawn is [Remote.SpawnNamed] with a name that the other process chooses.
func (r *Remote) Spawn(address, kind string, timeout time.Duration) (*actor.PID, error) {
	return r.spawn(address, "", kind, timeout)
}

func (r *Remote) spawn(address, name, kind string, timeout time.Duration) (*actor.PID, error) {
	activator := actor.NewPID(address, activatorID)
	reply, err := r.system.Root.RequestFuture(activator, &remotepb.SpawnRequest{Kind: kind, Name: name}, timeout).Result()
	if err != nil {
		var dead *actor.DeadLetterError
		if errors.As(err, &dead) && dead.Reason == actor.DeadLetterNoActor {
			return nil, fmt.Errorf("%w: %s at %s", ErrUnknownKind, kind, address)
		}
		return nil, fmt.Errorf("remote: spawning a %s at %s: %w", kind, address, err)
	}
	answer, ok := reply.(*remotepb.SpawnResponse)
	if !ok {
		return nil, fmt.Errorf("%w: %s answered with a %T", ErrSpawnFailed, activator, reply)
	}
	pid := actor.NewPID(address, answer.GetId())
	switch answer.GetOutcome() {
	case remotepb.SpawnResponse_OUTCOME_SPAWNED:
		return pid, nil
	case remotepb.SpawnResponse_OUTCOME_NAME_EXISTS:
		return pid, fmt.Errorf("%w: %s", actor.ErrNameExists, pid)
	case remotepb.SpawnResponse_OUTCOME_UNKNOWN_KIND:
		return nil, fmt.Errorf("%w: %s at %s", ErrUnknownKind, kind, address)
	case remotepb.SpawnResponse_OUTCOME_INVALID:
		return nil, ErrInvalidName
	default:
		return nil, fmt.Errorf("%w: %s at %s: %s", ErrSpawnFailed, kind, address, answer.GetText())
	}
}
