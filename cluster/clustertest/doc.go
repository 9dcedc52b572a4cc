// Package clustertest helps to test what runs on a cluster.
//
// A [Registry] is a membership within one process: give each of several
// clusters a Provider of the same Registry and they are members of one
// another. It publishes views at once and in one order, takes nobody for dead
// by itself, and can be told to remove a member, as if it had crashed or had
// been wrongly taken for dead.
//
// Kinds are best effort on it, but on a [Registry.LeasedProvider], whose lease
// the test sets by hand.
//
// A [RecordStore] is a coordination service in memory: the members that it makes
// have leases that run out, and it can be cut off, slowed, stopped and emptied.
//
// An [EntryStore] keeps where grains are active, for clusters with
// cluster.WithIdentityLookup.
//
// A [FencedStore] keeps the state of strict kinds in memory, and can be told to
// fail; [OpenFencedDir] keeps it in a folder that several processes share.
package clustertest
