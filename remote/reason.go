package remote

// What the reasons of dead letters begin with when the message itself cannot
// cross to the peer: another try would go no better.
const (
	// ReasonUnsendable: it is no protobuf message, is nil, or is too large.
	ReasonUnsendable = "remote: unsendable: "
	// ReasonUnreadable: the peer does not know its type, or its bytes are
	// malformed.
	ReasonUnreadable = "remote: unreadable: "
)
