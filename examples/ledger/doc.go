// Package ledger keeps accounts whose balances survive: an example of a strict kind, and of how to test grains under
// faults with cluster/clustertest/bubble. docs/guides/testing.md explains the tests.
package ledger
