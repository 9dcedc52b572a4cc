// Package directory is the identity lookup that keeps in a database where each
// identity is active. It runs on any store that keeps the contract of
// driver.EntryStore; users give one to cluster.WithIdentityLookup.
//
// A [Lookup] reads the entry of an identity. If there is none that counts, it
// chooses a member and asks it to place the identity; that member claims the
// entry, then starts the activation, then answers. All that is decided on a member
// is decided by the pure machine of internal/directory; an actor, [ActorName],
// drives it, and operations in the store run beside the actor, at most
// Config.Concurrency at a time. A client has a Lookup too, without the actor.
//
// docs/design/directory.md tells the protocol.
package directory
