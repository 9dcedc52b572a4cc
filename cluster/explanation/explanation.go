package explanation

import (
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// Explanation says where a grain is, and why: what the owner of its identity
// knows, what its host knows, and what the process that asked has cached. It
// marshals to JSON, where terms and epochs, which are larger than many readers'
// numbers, are texts; its String is for people. It is bounded, whatever members
// say.
type Explanation struct {
	Kind     string `json:"kind"`
	Identity string `json:"identity"`
	// Slot is the identity's, of 4096. Where a database keeps the locations of grains it
	// is 0, and Owner, Hosts, Silent and History are empty.
	Slot int `json:"slot"`
	// Incarnation, Epoch and Members are those of the asker's view.
	Incarnation string `json:"incarnation"`
	Epoch       uint64 `json:"epoch,string"`
	Members     int    `json:"members"`
	// Hosting counts the members of the view that take new activations of the
	// kind.
	Hosting int `json:"hosting"`
	// Owner is what the owner of the slot says; nil if it did not answer, or
	// there is none.
	Owner *Owner `json:"owner,omitempty"`
	// Hosts is what hosts say, in order of seniority: the one that the owner
	// names and the one that the asker has cached. If the owner cannot tell,
	// all members are asked, at most 64.
	Hosts []Host `json:"hosts,omitempty"`
	// Silent are those that were asked and did not answer.
	Silent []Silence `json:"silent,omitempty"`
	// History is what happened to the identity and its slot, as far as those
	// who answered remember, the latest last. Each member's clock is its own.
	History []Transition `json:"history,omitempty"`
	// Store is what the database of an identity lookup says; nil without one.
	Store *Store `json:"store,omitempty"`
	// Cached is where this process would send a call; nil if it would have to
	// ask the owner first.
	Cached *Cached `json:"cached,omitempty"`
}

// Cached is a location that a process remembers.
type Cached struct {
	Member Member `json:"member"`
	// Token is the activation's fencing token, as text.
	Token string `json:"token"`
}

// Member names a member. The address is empty if it is not in the view.
type Member struct {
	ID      driver.MemberID `json:"id"`
	Address string          `json:"address,omitempty"`
}

// Owner is what an owner knows about an identity.
type Owner struct {
	Member Member `json:"member"`
	// Epoch is that of the view it goes by.
	Epoch uint64 `json:"epoch,string"`
	// State is that of the slot: "not owned", "acquiring" or "open".
	State string `json:"state"`
	// Term is the epoch at which it began to acquire the slot.
	Term uint64 `json:"term,string"`
	// Missing are the hosts whose promise has not come: the first 32 of
	// MissingCount.
	Missing      []Member `json:"missing,omitempty"`
	MissingCount int      `json:"missingCount,omitempty"`
	// Waiting counts the callers that wait for the slot.
	Waiting int `json:"waiting"`
	// Entry is the identity's in the owner's table; nil if it has none.
	Entry *Entry `json:"entry,omitempty"`
	// Losers counts older activations of the identity that were found beside
	// this one and have been told to stop.
	Losers int `json:"losers,omitempty"`
}

// Entry is an identity's entry in the table of an owner.
type Entry struct {
	// Phase is "granting", "granted" or "ending".
	Phase string `json:"phase"`
	// Token is the activation's fencing token, as text.
	Token string `json:"token"`
	Host  Member `json:"host"`
	// Asking is set while the host has not answered whether it takes the
	// activation, or still has it.
	Asking bool `json:"asking"`
	// Resent is how often it was asked again, and Silent is set while nothing
	// was heard of it since it left a question unanswered.
	Resent int  `json:"resent,omitempty"`
	Silent bool `json:"silent,omitempty"`
	// Waiting counts the callers that wait for that.
	Waiting int `json:"waiting"`
}

// Host is what a host knows about an identity.
type Host struct {
	Member Member `json:"member"`
	// Epoch is that of the view it goes by.
	Epoch uint64 `json:"epoch,string"`
	// Promised is the highest term that it promised for the slot, PromisedTo
	// the owner, and Seq the highest sequence number that it answered in it.
	Promised   uint64 `json:"promised,string"`
	PromisedTo Member `json:"promisedTo"`
	Seq        uint64 `json:"seq,string"`
	// Phase of the activation is "running" or "stopping", and Token its fencing
	// token. Both are empty if there is none. It is running from its start.
	Phase string `json:"phase,omitempty"`
	Token string `json:"token,omitempty"`
	// Notices counts ends of activations that no owner has acknowledged yet.
	Notices int `json:"notices,omitempty"`
	// Lease is the phase of the member's lease; empty if it has none.
	Lease string `json:"lease,omitempty"`
	// Leaving is set while the member takes no new activations, because it is
	// leaving or in no view.
	Leaving bool `json:"leaving,omitempty"`
}

// Silence is a member that was asked and did not answer.
type Silence struct {
	Member Member `json:"member"`
	// Role is "owner" or "host": as what it was asked.
	Role string `json:"role"`
	Why  string `json:"why"`
}

// Transition is something that happened to an identity, or to its slot.
type Transition struct {
	// At is by the clock of the member that tells it.
	At time.Time `json:"at"`
	// By is the member that tells it, and Role whether as "owner" or "host".
	By   Member `json:"by"`
	Role string `json:"role"`
	What string `json:"what"`
	// Why is the reason, where there is one to tell.
	Why string `json:"why,omitempty"`
	// Token is the activation's fencing token; what happened to the slot has a
	// Term instead.
	Token string `json:"token,omitempty"`
	Term  uint64 `json:"term,omitempty,string"`
	// Host is the other member that it happened with, if any.
	Host *Member `json:"host,omitempty"`
}

// Store is what the database of an identity lookup, and a host say about an identity.
type Store struct {
	// Era is the number of the database's era, and Open whether it takes claims.
	Era  uint64 `json:"era,string"`
	Open bool   `json:"open"`
	// Entry is the one in the database; nil if there is none, or it did not answer.
	Entry *StoreEntry `json:"entry,omitempty"`
	// Host is what the member of the entry has: "claiming", "running", "stopping"
	// or "releasing"; empty if it has nothing, or was not asked.
	Host      string `json:"host,omitempty"`
	HostToken string `json:"hostToken,omitempty"`
	// Problems tells who did not answer, and why.
	Problems []string `json:"problems,omitempty"`
}

// StoreEntry is an entry of the database.
type StoreEntry struct {
	Member  driver.MemberID `json:"member"`
	Address string          `json:"address"`
	Epoch   uint64          `json:"epoch,string"`
	Token   string          `json:"token"`
	// Verdict is "live", "void", since its member has left the view, or "newer
	// than the view".
	Verdict string `json:"verdict"`
}
