package driver

import (
	"cmp"
	"fmt"
)

// Limits of an identity's words, in bytes. Neither may be empty.
const (
	MaxIdentityLength = 1024
	MaxKindLength     = 128
)

// Identity names a virtual actor: its kind and its name within the kind. Clusters
// have no kind with a slash; a store takes any bytes in both, and keeps c of kind
// a/b apart from b/c of kind a.
type Identity struct {
	Kind, Name string
}

// String joins kind and name with a slash. It is for people: no key is to be made
// of it, as both may hold slashes.
func (i Identity) String() string { return i.Kind + "/" + i.Name }

// Fence names one activation of an identity, and is its fencing token:
// strictly larger for every later activation of the same identity. Term is
// compared first, then Seq.
type Fence struct {
	// Term is the epoch at which the owner of the identity's slot began to
	// acquire it.
	Term uint64
	// Seq counts the activations that were granted within the term.
	Seq uint64
}

// Compare orders two tokens: negative when f is older than o.
func (f Fence) Compare(o Fence) int {
	return cmp.Or(cmp.Compare(f.Term, o.Term), cmp.Compare(f.Seq, o.Seq))
}

// IsZero reports whether the token names no activation.
func (f Fence) IsZero() bool { return f == Fence{} }

// String prints both numbers in hexadecimal at full width, so that the order
// of the texts is the order of the tokens.
func (f Fence) String() string { return fmt.Sprintf("%016x.%016x", f.Term, f.Seq) }
