package cluster

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
)

// Kind is a kind of virtual actor that a member hosts: a name and how its
// actors are made. It is an [Option] of Configure and does not change once it
// is made.
type Kind struct {
	name  string
	props *actor.Props
	idle  time.Duration

	// guarantee holds if chosen; else the provider decides.
	guarantee driver.Guarantee
	chosen    bool
	store     driver.FencedStore // of a strict kind

	limit   int // of activations on a member; 0 is none
	answers int // that an activation remembers for calls that are made again

	strategy *Strategy // if placed
	placed   bool
	labels   map[string]string // of the members that host it
}

// KindOption changes a kind while it is made.
type KindOption interface{ applyKind(*Kind) }

type kindOption func(*Kind)

func (o kindOption) applyKind(k *Kind) { o(k) }

// NewKind makes a kind whose activations are actors of the given props. The
// name is what callers use; it has no slash and at most [MaxKindLength]
// bytes, which Start checks.
func NewKind(name string, props *actor.Props, opts ...KindOption) *Kind {
	k := &Kind{name: name, props: props}
	for _, o := range opts {
		if o != nil {
			o.applyKind(k)
		}
	}
	return k
}

// WithPassivation stops a grain that has had no message for the given time; its
// next call activates it again. Zero, the default, means never. A grain that awaits
// something, has called ReenterAfter or has stashed messages is not idle. An actor that
// was not generated and sets a receive timeout is told of that instead, and stops itself
// or not; one that cancels it stays.
func WithPassivation(idle time.Duration) KindOption {
	return kindOption(func(k *Kind) { k.idle = idle })
}

// WithMaxActivations limits how many grains of the kind are active on one member.
// When one more is activated there, the one goes that was idle for the longest time:
// its next call activates it again. Grains that handle a message do not go; if none is idle
// there are more for a while, until one of them is done. [Counters] tells how many
// went. Zero or less, the default, is no limit.
func WithMaxActivations(n int) KindOption {
	return kindOption(func(k *Kind) { k.limit = n })
}

// WithDeduplication lets each activation of a generated grain remember its last
// answers, n of them: a call that comes again, by a retry ([WithRetry]) or with the
// same [WithCallID], gets the answer of the first and does not run. Defaults to
// 0. The memory lasts as long as the activation and the grain's instance: after
// a passivation, a panic or the end of its member a call may run again. A grain that
// must not do so saves [CallIDFrom] with its state, in one write.
//
// A method that returned the end of its context, and one whose answer was
// withheld, has given no answer: it runs again.
func WithDeduplication(n int) KindOption {
	return kindOption(func(k *Kind) { k.answers = max(n, 0) })
}

// WithBestEffort allows a second activation of an identity while the network is
// split, until the split has healed. It is the default with a provider that
// has no leases, such as automanaged.
func WithBestEffort() KindOption { return withGuarantee(driver.BestEffort, nil) }

// WithLease lets no turn of a grain begin after its member's lease has ended,
// and no reply or message of a turn that outlives it get out. It is the default
// with a provider that has leases; with one that has none, Start refuses it.
func WithLease() KindOption { return withGuarantee(driver.Leased, nil) }

// WithStrict is WithLease, and no write of a grain that has a successor is
// accepted by the store. The store must not be nil, and belongs to whoever made
// it: the cluster does not close it. One store may serve several kinds.
func WithStrict(store driver.FencedStore) KindOption { return withGuarantee(driver.Strict, store) }

func withGuarantee(g driver.Guarantee, store driver.FencedStore) KindOption {
	return kindOption(func(k *Kind) { k.guarantee, k.chosen, k.store = g, true, store })
}

// WithStrategy sets how the member is chosen that a grain of the kind is
// activated on. All members give it the same one. Defaults to [RoundRobin].
func WithStrategy(s *Strategy) KindOption {
	return kindOption(func(k *Kind) { k.strategy, k.placed = s, true })
}

// OnMembersWith pins the kind to members that carry all of these labels, with
// these values (see [WithLabels]). On any other member it is as if the kind had
// not been configured, and a log line says so: all members can run one program.
// Calls fail with [ErrNoMemberForKind] while no member carries the labels. What
// is given twice is joined, the later value counts.
func OnMembersWith(labels map[string]string) KindOption {
	return kindOption(func(k *Kind) {
		if k.labels == nil {
			k.labels = make(map[string]string, len(labels))
		}
		maps.Copy(k.labels, labels)
	})
}

// Name is the kind's name.
func (k *Kind) Name() string { return k.name }

func (k *Kind) applyCluster(c *Config) { c.kinds = append(c.kinds, k) }

func (k *Kind) validate() error {
	if k == nil {
		return errors.New("a kind is nil")
	}
	if err := checkKind(k.name); err != nil {
		return err
	}
	if k.props == nil {
		return fmt.Errorf("kind %q has no props", k.name)
	}
	if err := k.props.Err(); err != nil {
		return fmt.Errorf("kind %q: %w", k.name, err)
	}
	if k.chosen && k.guarantee == driver.Strict && k.store == nil {
		return fmt.Errorf("kind %q is strict without a store: give WithStrict one", k.name)
	}
	if err := checkLabels(k.labels); err != nil {
		return fmt.Errorf("kind %q is pinned to labels that no member can carry: %w", k.name, err)
	}
	return nil
}

// servedBy refuses a guarantee that the provider cannot give.
func (k *Kind) servedBy(p driver.Provider) error {
	if !k.chosen || k.guarantee == driver.BestEffort || p == nil || p.Leases() {
		return nil
	}
	return fmt.Errorf("kind %q asks for the guarantee %q, but the provider %T has no leases: take one that has them "+
		"(cluster/etcd, consul, zk or k8s), or give the kind WithBestEffort", k.name, k.guarantee, p)
}

// guaranteed is the kind's guarantee on a provider with or without leases.
func (k *Kind) guaranteed(leases bool) driver.Guarantee {
	switch {
	case k.chosen:
		return k.guarantee
	case leases:
		return driver.Leased
	default:
		return driver.BestEffort
	}
}

// described is the kind as the view shows it.
func (k *Kind) described(leases bool) driver.Kind {
	described := driver.Kind{Name: k.name, Guarantee: k.guaranteed(leases)}
	if k.placed {
		described.Strategy = k.strategy.inView()
	}
	return described
}

// hostedWith reports whether a member that carries these labels hosts the kind.
func (k *Kind) hostedWith(labels map[string]string) bool {
	for key, value := range k.labels {
		if v, has := labels[key]; !has || v != value {
			return false
		}
	}
	return true
}
