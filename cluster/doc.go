// Package cluster makes virtual actors out of actors: a grain is called by
// its identity, and the cluster finds it, activates it when it is not active,
// calls it again elsewhere when its member is gone, and passivates it when it
// has been idle.
//
// A member is a process that hosts kinds of grains:
//
//	system := actor.NewActorSystem()
//	config := cluster.Configure("shop", automanaged.New(), remote.Configure("127.0.0.1", 0),
//		cluster.NewKind("Cart", cartProps))
//	c := cluster.New(system, config)
//	if err := c.Start(); err != nil { … }
//	defer c.Shutdown(true)
//
// A client, which starts with [Cluster.StartClient], calls grains and hosts
// none. Calls are usually made by generated code (protoc-gen-go-grain); below
// it lie [Cluster.Call] and [Cluster.Get].
//
// # One activation per identity
//
// Which member hosts an identity is decided by the placement protocol of
// docs/design/placement.md: while no network split is on, an identity never has two
// activations. When members come or go only the ownership of identities
// moves; activations and their state stay where they are.
//
// What holds when the network splits, or a live member is taken for dead, each
// kind chooses: [WithBestEffort], [WithLease], [WithStrict]. The last two need
// a provider with leases, as package cluster/etcd has it; docs/guides/guarantees.md
// says what exactly they promise. A strict grain keeps its value in [State].
// [Cluster.Explain] tells where a grain is, and why.
//
// # Calls
//
// A call is tried again, within its deadline, as long as it certainly did not
// run: the activation was not there any more, its member refused the
// connection. When the fate of a try is unknown, because the connection broke
// while the answer was awaited, the call fails with [ErrUnknownOutcome],
// unless [WithRetry] says that it may run again. A kind made
// [WithDeduplication] then gives the first answer again.
//
// A call made with a grain's context carries on what that has: its deadline
// and its end, the headers of [WithHeader], and who waits for whom. One that
// comes back to a grain that waits for it fails at once with [ErrCallCycle]. A
// method that its .proto file calls reenterable lets its grain go on with other
// messages meanwhile, by [GrainContext].Await.
//
// # The life of a grain
//
// A grain that is [Activating] has a word before its first call, one that is
// [Deactivating] before it stops. It stops when it was idle ([WithPassivation]),
// to make room ([WithMaxActivations]), or with its member; a message that meets it
// then goes to its next activation. Its timers ([GrainTimer]) end with it.
//
// # Failures of a grain
//
// An error that a method returns, and a panic, are the answer of that call: a
// [*GrainError]. After a panic the actor's supervisor decides about the grain;
// by default a new instance takes its place, with the same token, and
// Terminate is not called on the one that panicked. A grain that cannot be
// activated answers with [CodeActivation], and a later call tries again.
package cluster
