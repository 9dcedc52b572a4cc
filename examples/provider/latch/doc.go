// Package latch is a membership provider, and a store for the state of strict kinds, on the made-up service latchd. It is
// the worked example of docs/adding-a-provider.md, and passes the tests of package cluster/drivertest.
package latch
