package placement

// slot gives an owner's slot, nil if it does not own it.
func (o *Owner) slot(s Slot) *ownedSlot { return o.slots[s] }

// mark gives a host's marks of a slot.
func (h *Host) mark(s Slot) (term, seq uint64) { slot := h.slots.at(s); return slot.promised, slot.seq }
