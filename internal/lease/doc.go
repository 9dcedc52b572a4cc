// Package lease is the clock of one member's lease. It is a pure step machine:
// [Machine.Step] takes the time and an event and gives effects. The shell that
// drives it in production is package cluster/record.
//
// A lease is counted from the instant before its renewal was sent, as the
// member's own clock showed it: the provider counts from a later one. For 0.6
// of the time granted the lease is valid, then it drains, and after 0.9 it is
// fenced, for ever. The last tenth is for clocks that differ in their rate.
//
// Every step looks at the clock first, so that the answer to a renewal that
// comes after the deadline revives nothing: others may have been told by then
// that this member is gone.
package lease
