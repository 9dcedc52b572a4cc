// Package placement decides where each identity lives: one activation per
// identity, whatever members come and go.
//
// Every identity belongs to one of [SlotCount] slots, and every slot has one
// owner among the active members, found by rendezvous hashing ([Table]). The
// [Owner] machine remembers where the identities of its slots are activated
// and grants new activations; the [Host] machine keeps what is activated on
// its member. When the view changes only the ownership of slots moves: the
// new owner collects from every host a promise and a report (Prepare,
// Promise) and opens the slot when all have answered; activations stay.
//
// The host is the acceptor: once it has promised a term it refuses whatever
// an older owner asks. That, and the rule that a grant never ends by a
// time-out, is why a lost, late or doubled message cannot make a second
// activation. docs/design/placement.md gives the rules their numbers; the comments
// in this package refer to them.
//
// Both machines are pure: Step(now, event) returns effects and nothing here
// reads a clock, starts a goroutine or touches the network. The partition
// lookup drives them in production, simulations drive the same code.
package placement
