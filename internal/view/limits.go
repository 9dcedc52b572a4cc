package view

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/granary-go/granary/cluster/driver"
)

// Limits on what a peer may say, and on what a member may be. A greeting that
// breaks one is refused as a whole; a member that breaks one cannot join.
const (
	// MaxMembers is how many members a view holds. Further newcomers are
	// told that the view is full.
	MaxMembers = 256
	// MaxKinds is how many kinds a member may host.
	MaxKinds = 1024
	// MaxLabels is how many labels a member may carry.
	MaxLabels = 64
	// MaxText is the length in bytes of an id, an address, a cluster's name,
	// a kind's name or strategy, a label's key or value. All of them are valid UTF-8.
	MaxText = 512
	// maxRefusal is what is kept of a refusal's text, in bytes.
	maxRefusal = 1024
	// maxLearnt is how many addresses are remembered that are neither
	// configured nor in the view. Beyond it the one that has been silent
	// longest is forgotten.
	maxLearnt = 128
	// maxProbes is how many regular pings are under way at a time to such
	// addresses. Further ones wait, the one that is due first goes first.
	maxProbes = 32
	// maxOwn is how many of its own views a member remembers, to tell which newcomers come of those of others. One that is forgotten
	// is taken for theirs, which costs a handover of all slots.
	maxOwn = 1024
	// maxDropped is how many ids of former members are remembered.
	maxDropped = 1024
)

// Validate reports what makes a greeting unusable. The machine is only given
// greetings that passed.
func (g Greeting) Validate() error {
	if err := g.Sender.Validate(); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	if err := errors.Join(CheckText("cluster name", g.Cluster), epoch(g.Epoch), epoch(g.Former)); err != nil {
		return err
	}
	if g.Phase > Gone {
		return fmt.Errorf("unknown phase %d", g.Phase)
	}
	if len(g.Incarnation) > MaxText || len(g.Refusal) > maxRefusal {
		return errors.New("a text is too long")
	}
	if g.View == nil {
		return nil
	}
	if g.View.Epoch != g.Epoch || g.View.Incarnation != g.Incarnation {
		return errors.New("the view is not the one that the sender names")
	}
	return g.View.Validate()
}

// Validate reports what makes a view unusable.
func (v View) Validate() error {
	if err := errors.Join(CheckText("incarnation", v.Incarnation), epoch(v.Epoch)); err != nil {
		return err
	}
	switch {
	case len(v.Entries) > MaxMembers:
		return fmt.Errorf("a view of %d members; at most %d are allowed", len(v.Entries), MaxMembers)
	case v.Epoch == 0 || v.Previous >= v.Epoch:
		return fmt.Errorf("view %d was made from view %d", v.Epoch, v.Previous)
	}
	pings := make(map[string]bool, len(v.Entries))
	for _, e := range v.Entries {
		if err := e.Validate(); err != nil {
			return err
		}
		if pings[e.Ping] {
			return fmt.Errorf("two members share the ping address %s", e.Ping)
		}
		pings[e.Ping] = true
	}
	return v.Driver().Validate()
}

// Validate reports what makes a member unusable.
func (e Entry) Validate() error {
	m := e.Member
	if err := errors.Join(CheckText("member id", string(m.ID)), address("address", m.Address), address("ping address", e.Ping)); err != nil {
		return err
	}
	switch {
	case len(m.Kinds) > MaxKinds:
		return fmt.Errorf("member %s has %d kinds; at most %d are allowed", m.ID, len(m.Kinds), MaxKinds)
	case len(m.Labels) > MaxLabels:
		return fmt.Errorf("member %s has %d labels; at most %d are allowed", m.ID, len(m.Labels), MaxLabels)
	case m.State > driver.Leaving:
		return fmt.Errorf("member %s has an unknown state %d", m.ID, m.State)
	case m.Versions.Min > m.Versions.Max:
		return fmt.Errorf("member %s speaks versions %d to %d", m.ID, m.Versions.Min, m.Versions.Max)
	}
	for i, k := range m.Kinds {
		if err := CheckText("kind", k.Name); err != nil {
			return err
		}
		if k.Strategy != "" {
			if err := CheckText("strategy", k.Strategy); err != nil {
				return err
			}
		}
		if i > 0 && m.Kinds[i-1].Name >= k.Name {
			return fmt.Errorf("kinds of member %s are not sorted, or doubled, at %q", m.ID, k.Name)
		}
	}
	for key, value := range m.Labels {
		if len(value) > MaxText {
			return fmt.Errorf("label %q of member %s is longer than %d bytes", key, m.ID, MaxText)
		}
		if err := CheckText("label", key); err != nil {
			return err
		}
		if !utf8.ValidString(value) {
			return fmt.Errorf("label %q of member %s has a value that is not valid UTF-8", key, m.ID)
		}
	}
	return nil
}

// CheckText reports why a text cannot be sent as an id or a name of the kind
// that is said.
func CheckText(what, s string) error {
	if s == "" || len(s) > MaxText {
		return fmt.Errorf("%s has %d bytes; it must have 1 to %d", what, len(s), MaxText)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s %q is not valid UTF-8", what, s)
	}
	return nil
}

func epoch(e uint64) error {
	if e>>idBits >= maxCount {
		return fmt.Errorf("epoch %d is beyond reason", e)
	}
	return nil
}

// address checks the form host:port, with a port that can be dialled.
func address(what, s string) error {
	if err := CheckText(what, s); err != nil {
		return err
	}
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return fmt.Errorf("%s %q is not host:port", what, s)
	}
	if port, err := strconv.ParseUint(s[i+1:], 10, 16); err != nil || port == 0 {
		return fmt.Errorf("%s %q has no port from 1 to 65535", what, s)
	}
	return nil
}
