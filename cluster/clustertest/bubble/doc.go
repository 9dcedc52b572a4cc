// Package bubble runs a whole cluster within one testing/synctest bubble, to
// test grains with it: real members and a client, remotes on a network in
// memory, and leases. Time in a bubble passes at once when nobody has anything to
// do, so that minutes of faults take milliseconds.
//
//	bubble.Run(t, bubble.Options{Members: 3, Member: kinds}, func(t *testing.T, c *bubble.Cluster) {
//		c.Kill(0)
//		reply, err := c.Client().Call("one", "Account", message)
//		…
//	})
//
// [Scenarios] draws faults from seeds while a workload runs, and checks what is
// left when all is healed: members are killed and replaced, isolated, paused, cut off the
// store or off each other in one direction, links are slowed and all is healed. A scenario that fails tells its seed and its faults.
// Run the test with GRANARY_TEST_SEED set to the seed to replay it alone;
// GRANARY_TEST_COUNT sets how many scenarios there are.
//
// A seed determines the faults, their order and their times. It does not
// determine in which order goroutines run, nor the ids of members, on which
// placement depends: a bug that needs a certain interleaving may need several
// replays.
//
// A bubble has no sockets, no other processes and no cgo that blocks: give
// grains stores in memory, such as clustertest.FencedStore. All goroutines
// that a test starts in it end before its function returns, else the test
// fails. A member that is killed is cut off and then stopped, so that grains in it
// may see the end of their contexts, as in a crash they would not.
package bubble
