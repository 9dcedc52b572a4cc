package cluster

import (
	"errors"
	"fmt"
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

// WithPassivation stops a generated grain that has had no message for the
// given time; its next call activates it again. Zero, the default, means
// never. It has no effect on a kind whose props are of actors that were not
// generated: those set their own receive timeout.
func WithPassivation(idle time.Duration) KindOption {
	return kindOption(func(k *Kind) { k.idle = idle })
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
	return nil
}

func (k *Kind) described() driver.Kind {
	return driver.Kind{Name: k.name, Guarantee: driver.BestEffort}
}
