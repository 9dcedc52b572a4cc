package driver

import (
	"errors"
	"fmt"
)

// View is one state of the membership. Views have one total order, by Epoch;
// a member may skip views and never acts on a lower one than it has seen.
// A View is immutable once it has been handed over.
type View struct {
	// Incarnation is a random name that a cluster gets when its first view is
	// made from nothing.
	Incarnation string
	// Epoch orders the views. It rises with every view, not always by one.
	Epoch uint64
	// Previous is the epoch of the view that this one was made from; 0 for
	// the first, and for one that unites members of views that did not follow
	// one another, as after a split without leases. A member whose last view has this epoch missed nothing.
	Previous uint64
	// Members are in order of seniority: the first has been in the longest.
	Members []Member
}

// Member finds a member by its id.
func (v View) Member(id MemberID) (Member, bool) {
	for _, m := range v.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Validate reports what makes a view unusable: an empty or doubled id, two
// members with one address, a member without an address.
func (v View) Validate() error {
	ids := make(map[MemberID]bool, len(v.Members))
	addresses := make(map[string]MemberID, len(v.Members))
	var errs []error
	for _, m := range v.Members {
		switch other, taken := addresses[m.Address]; {
		case m.ID == "":
			errs = append(errs, fmt.Errorf("member at %q has no id", m.Address))
		case m.Address == "":
			errs = append(errs, fmt.Errorf("member %q has no address", m.ID))
		case ids[m.ID]:
			errs = append(errs, fmt.Errorf("member %q is listed twice", m.ID))
		case taken:
			errs = append(errs, fmt.Errorf("members %q and %q share the address %s", other, m.ID, m.Address))
		}
		ids[m.ID] = true
		addresses[m.Address] = m.ID
	}
	if len(errs) > 0 {
		return fmt.Errorf("driver: view %d of %q: %w", v.Epoch, v.Incarnation, errors.Join(errs...))
	}
	return nil
}
