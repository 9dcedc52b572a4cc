// Package directory decides what a member does with the entries that a
// database keeps of where identities are active, for the lookup of package
// cluster/internal/lookup/directory.
//
// The [Host] machine is one member's. It claims the entry of an identity before
// it starts the activation, releases it after the activation has stopped, and
// keeps the store's era: a period in which the store has lost nothing. When that
// is in doubt it stops claiming, writes back what it hosts into a new era, and
// goes on when every member of the view has done so. [Judge] says whether an
// entry that was read still counts.
//
// docs/design/directory.md gives the rules their numbers; the comments in this
// package refer to them.
//
// The machine is pure: Step(now, event) returns effects, and operations in the
// store are effects whose outcomes come back as events. Nothing here reads a
// clock, starts a goroutine or touches the network. Package cluster/internal/lookup/directory
// drives it in production, a simulation drives the same code.
package directory
