// Command member hosts grains of the kind Ponger until Ctrl-C or SIGTERM.
//
//	go run ./pingpong/member
//	go run ./pingpong/member -port 8091 -membership-port 6332
//
// Start as many as you like, each with ports of its own: they find each other
// by the list -members, which may name members that do not run. One that is
// stopped takes its leave, and its grains begin anew on the others.
package main
