// Package clustertest helps to test what runs on a cluster.
//
// A [Registry] is a membership within one process: give each of several
// clusters a Provider of the same Registry and they are members of one
// another. It publishes views at once and in one order, takes nobody for dead
// by itself, and can be told to remove a member, as if it had crashed or had
// been wrongly taken for dead.
//
// It has no leases: kinds are best effort on it.
package clustertest
