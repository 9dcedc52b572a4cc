// Package partition is the default identity lookup: the members themselves
// remember where each identity is activated, without any outside store.
//
// It is the shell around the pure machines of internal/placement. Two actors
// drive them on every member, [OwnerName] and [HostName]; they exchange the
// messages of wire/placementpb with those of the other members. What they know
// is lost with them: if one ends before its time, Config.Failed is told, and
// the member has to join again. A [Lookup]
// finds the owner of an identity by the current view, asks it, and asks again
// when the view has changed meanwhile; calls for one identity that run at the
// same time share one question. A client has a Lookup too, without actors.
//
// docs/design/placement.md tells the protocol.
package partition
