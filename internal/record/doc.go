// Package record is the membership of a cluster above a store that keeps one
// value, the view record, and a liveness key for each member. It is a pure step
// machine: [Machine.Step] takes an event and gives effects, and reads no clock
// and no network. The shell that drives it in production is package
// cluster/record; its tests drive the same code by script and by seed.
//
// # Who writes the record
//
// Everything is decided on what was last read: the record, and which liveness
// keys there are. Whoever writes it adds all newcomers that it sees, and
// removes all members whose key is gone; the epoch is one more each time. The
// k-th active member waits k pauses before it does so, newcomers come behind
// all of them, so that usually one writes. A write is a compare-and-set: who
// loses reads again. A member's own draining and leaving it writes at once.
//
// A member that was taken out while its key still runs stays listed as gone
// until the key has ended, so that nobody takes it for a newcomer: an id never
// comes back.
//
// # When a member is out
//
// When its liveness key is gone, when the record no longer holds it, is another
// cluster's, has gone back, is nonsense or has vanished, and when its own lease
// has ended by the clock. It never writes again but to remove itself.
//
// # How a cluster begins
//
// A record that is not there may have been lost, and its members may still run.
// So a newcomer waits for as long as a lease lasts before it writes the first
// one. The first epoch is the Unix time in milliseconds, so that epochs go on
// rising when a record was lost.
package record
