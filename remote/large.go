package remote

// pieceBytes is the most that is sent of a large message at a time. A message is
// large if no batch would take it beside others.
const pieceBytes = 128 << 10

// large is the large message that is on its way in pieces, so that others need not
// wait for all of it. There is at most one at a time; what goes to the same target
// comes after it, and so does the next large one. It belongs to the writer.
type large struct {
	message outbound
	data    []byte          // of the batch that holds the message; nil if there is none
	size    int             // of all of it
	waiting []outbound      // what was to be written and comes after it
	targets map[string]bool // those of message and waiting
}

func (l *large) underway() bool { return l.data != nil }

// takes reports whether o is the large message from here on, or waits for it.
func (l *large) takes(o *outbound, s *serial) bool {
	switch {
	case l.underway():
		if o.size <= batchBytes && !l.targets[o.target.Id] {
			return false
		}
		l.waiting = append(l.waiting, *o)
	case o.size > batchBytes:
		e := newBatchEncoder(s)
		e.add(o)
		l.message, l.data, l.size = *o, e.bytes(), len(e.bytes())
		l.message.data = nil // it is in the batch
		l.targets = make(map[string]bool)
	default:
		return false
	}
	l.targets[o.target.Id] = true
	return true
}

// next returns the next piece. It is handed out again until the one after it is asked for.
func (l *large) next() (piece []byte, last bool) {
	if len(l.data) <= pieceBytes {
		return l.data, true
	}
	piece, l.data = l.data[:pieceBytes], l.data[pieceBytes:]
	return piece, false
}

// finish ends the message, and returns what waited for it.
func (l *large) finish() []outbound {
	waiting := l.waiting
	*l = large{}
	return waiting
}
