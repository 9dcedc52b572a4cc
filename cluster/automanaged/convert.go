package automanaged

import (
	"errors"
	"fmt"
	"maps"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/view"
)

func greetingToWire(g view.Greeting) *pb.Greeting {
	w := &pb.Greeting{
		Cluster: g.Cluster, Sender: entryToWire(g.Sender), Phase: pb.Phase(g.Phase),
		Incarnation: g.Incarnation, Epoch: g.Epoch, Former: g.Former,
	}
	if g.View != nil {
		w.View = viewToWire(*g.View)
	}
	return w
}

// greetingFromWire takes what a peer says, which may be anything.
func greetingFromWire(w *pb.Greeting) (view.Greeting, error) {
	if w == nil {
		return view.Greeting{}, errors.New("automanaged: no greeting")
	}
	if w.Phase < 0 || w.Phase > pb.Phase_PHASE_GONE {
		return view.Greeting{}, fmt.Errorf("automanaged: unknown phase %d", w.Phase)
	}
	sender, err := entryFromWire(w.Sender)
	if err != nil {
		return view.Greeting{}, err
	}
	g := view.Greeting{
		Cluster: w.Cluster, Sender: sender, Phase: view.Phase(w.Phase),
		Incarnation: w.Incarnation, Epoch: w.Epoch, Former: w.Former,
	}
	if w.View != nil {
		v, err := viewFromWire(w.View)
		if err != nil {
			return view.Greeting{}, err
		}
		g.View = &v
	}
	if err := g.Validate(); err != nil {
		return view.Greeting{}, fmt.Errorf("automanaged: %w", err)
	}
	return g, nil
}

func viewToWire(v view.View) *pb.View {
	w := &pb.View{Incarnation: v.Incarnation, Epoch: v.Epoch, Previous: v.Previous}
	for _, e := range v.Entries {
		w.Members = append(w.Members, entryToWire(e))
	}
	return w
}

// viewFromWire takes a view, which may be anything, and checks it.
func viewFromWire(w *pb.View) (view.View, error) {
	if n := len(w.Members); n > view.MaxMembers {
		return view.View{}, fmt.Errorf("automanaged: a view of %d members; at most %d are allowed", n, view.MaxMembers)
	}
	v := view.View{Incarnation: w.Incarnation, Epoch: w.Epoch, Previous: w.Previous}
	for _, m := range w.Members {
		e, err := entryFromWire(m)
		if err != nil {
			return view.View{}, err
		}
		v.Entries = append(v.Entries, e)
	}
	if err := v.Validate(); err != nil {
		return view.View{}, fmt.Errorf("automanaged: %w", err)
	}
	return v, nil
}

func entryToWire(e view.Entry) *pb.Entry {
	m := e.Member
	w := &pb.Entry{
		Id: string(m.ID), Address: m.Address, PingAddress: e.Ping, Labels: m.Labels,
		MinVersion: m.Versions.Min, MaxVersion: m.Versions.Max, State: pb.State(m.State),
	}
	for _, k := range m.Kinds {
		w.Kinds = append(w.Kinds, &pb.Kind{Name: k.Name, Guarantee: uint32(k.Guarantee), Strategy: k.Strategy})
	}
	return w
}

// entryFromWire takes a member. What has no place in a [view.Entry] is refused
// here; its other limits are checked by its Validate.
func entryFromWire(w *pb.Entry) (view.Entry, error) {
	switch {
	case w == nil:
		return view.Entry{}, errors.New("automanaged: no member")
	case w.State < 0 || w.State > pb.State_STATE_LEAVING:
		return view.Entry{}, fmt.Errorf("automanaged: unknown state %d", w.State)
	case len(w.Kinds) > view.MaxKinds:
		return view.Entry{}, fmt.Errorf("automanaged: a member of %d kinds; at most %d are allowed", len(w.Kinds), view.MaxKinds)
	}
	e := view.Entry{Ping: w.PingAddress, Member: driver.Member{
		ID: driver.MemberID(w.Id), Address: w.Address, Labels: maps.Clone(w.Labels),
		Versions: driver.Versions{Min: w.MinVersion, Max: w.MaxVersion}, State: driver.State(w.State),
	}}
	for _, k := range w.Kinds {
		if k == nil || k.Guarantee > 255 {
			return view.Entry{}, errors.New("automanaged: a kind without meaning")
		}
		e.Member.Kinds = append(e.Member.Kinds, driver.Kind{
			Name: k.Name, Guarantee: driver.Guarantee(k.Guarantee), Strategy: k.Strategy,
		})
	}
	return e, nil
}
