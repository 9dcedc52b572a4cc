// Package view is the membership of a cluster without a store: who is there,
// who is gone, and which numbered view everyone goes by. It is a pure step
// machine: [Machine.Step] takes an event and gives effects, and reads no clock
// and no network. The shell that drives it in production is package
// cluster/automanaged; its tests drive the same code by script and by seed.
//
// # How a view comes about
//
// A process begins as a newcomer and pings every address it knows. If it
// reaches somebody who has a view it waits to be taken in. Otherwise, once
// every configured host has answered as a newcomer or has failed twice, the
// newcomer with the lowest id makes the first view, of itself and of the
// newcomers it reaches. It listens for a while first, so that those whom it
// does not know, and who know it, can find it.
//
// From then on only the coordinator makes views: the first member, in the order
// of the view, that the coordinator itself does not hold for lost. A member
// is lost when several pings in a row failed and nothing was heard of it
// meanwhile, or when its own ping address is answered by a later incarnation.
//
// # Which view counts
//
// The highest epoch. A member that meets a higher view which does not hold it
// is out, and joins again under a new id; this is how two halves of a healed
// split become one. The upper 48 bits of an epoch count (from the Unix time in
// milliseconds), the lower 16 come from the id of the coordinator that made
// the view, so that two coordinators do not give one number to two views. A
// view that is more than a year ahead of the own wall clock is not taken: no
// peer can use up the numbers, and clocks need to be right to within a year.
//
// # What is not promised
//
// There is no quorum and no lease. While the network is split each side has
// its own view, and goes on.
package view
