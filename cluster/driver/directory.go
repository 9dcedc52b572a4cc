package driver

import (
	"context"
	"errors"
)

// Errors of an [EntryStore].
var (
	// ErrClaimed: the identity has an entry that the claim does not replace.
	ErrClaimed = errors.New("driver: the identity has another entry")
	// ErrEra: the store does not have the era that was named, or has lost
	// something since it began. Nothing was written.
	ErrEra = errors.New("driver: the store has another era, or has lost something since this one began")
)

// Entry says where an identity is active.
type Entry struct {
	Identity Identity
	// Member hosts it, at Address.
	Member  MemberID
	Address string
	// Epoch is that of the view by which the member claimed it, or wrote it
	// back. The member is in that view.
	Epoch uint64
	// Era is that in which it was claimed or written back.
	Era EraID
	// Token names the activation. Its Term is the number of the era in which it
	// was claimed.
	Token Fence
}

// IsZero reports whether there is no entry.
func (e Entry) IsZero() bool { return e.Token.IsZero() }

// EraID names an era. Eras are ordered by their numbers; two of one number, begun
// by members that did not know of one another, differ in their founders.
type EraID struct {
	// Number is 0 for no era.
	Number uint64
	// Founder is unique for each era that a member begins. It has letters, digits
	// and hyphens.
	Founder string
}

// Era is a period in which a store has lost nothing. A new one begins when the
// store is first used, and whenever it may have lost something.
type Era struct {
	EraID
	// Incarnation is that of the views whose members use the store.
	Incarnation string
	// Open eras take claims; in one that is closed members write back what they
	// host.
	Open bool
	// Joined are the members that have written back what they host.
	Joined []MemberID
}

// EntryStore is one process's connection to a database that keeps where the
// identities of one cluster are active: an [Entry] for each that is, and the
// [Era]. What an entry means, who may claim it and when, is none of the store's
// business: Granary does that for all stores.
//
// The methods may be called from several goroutines and return when their
// context is done. Errors other than the two above are passing ones: it is then
// unknown whether something was written, and it may still be. They name the
// store's address and the cause, and no password. The store tries nothing again:
// each call is carried out at most once.
type EntryStore interface {
	// Read gives the entry of an identity; its zero value if there is none. It
	// sees every claim that had succeeded before it was called, by whomever.
	Read(ctx context.Context, id Identity) (Entry, error)
	// Claim makes e the entry of its identity if there is none, or the one
	// whose token is over; the zero token is nobody's. It returns e with its
	// token: the era's number as Term, and a Seq above that of any other entry of the
	// identity in this era, also one that was released. Fails with
	// [ErrClaimed] and the entry that there is, or with [ErrEra] if e.Era is
	// not the store's. All that is one atomic step for the identity.
	Claim(ctx context.Context, e Entry, over Fence) (Entry, error)
	// Release removes the entry of an identity if it has this token. If it has
	// none, or another, that is no error.
	Release(ctx context.Context, id Identity, token Fence) error
	// Restore writes entries back, with their tokens, into the era they name,
	// be it open or not. An identity that has an entry with a higher token
	// keeps it; those are returned. It fails with [ErrEra] if the store has
	// another era, or lost something since that one began; then some may have
	// been written.
	Restore(ctx context.Context, entries []Entry) (kept []Entry, err error)
	// Remove removes the entries of a member that is gone.
	Remove(ctx context.Context, m MemberID) error
	// List gives entries, about limit at a time, in any order. It begins with
	// an empty cursor, and goes on with next until that is empty. What is
	// there all the time is given at least once.
	List(ctx context.Context, cursor string, limit int) (entries []Entry, next string, err error)

	// ReadEra gives the era record; its zero value if there is none.
	ReadEra(ctx context.Context) (Era, error)
	// WriteEra replaces the era record by next if it still equals since, and
	// fails with [ErrEra] if it does not. If next has another EraID, it then
	// sees to it that all parts of the store that can lose their content apart
	// from one another take entries of that era alone, until they lose it, but
	// those that have seen a higher number.
	WriteEra(ctx context.Context, since, next Era) error

	// Close frees what the connection holds. It is called once, when no other
	// call is under way.
	Close() error
}

// EntryStores opens an [EntryStore]; it is what the application gives to a
// cluster.
type EntryStores interface {
	// OpenEntries connects to the store of a cluster. It does not wait for the
	// database to answer: it returns an error only for what will not mend by
	// itself, such as a nonsense address.
	OpenEntries(ctx context.Context, cluster string) (EntryStore, error)
}
