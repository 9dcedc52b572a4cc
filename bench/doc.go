// Command bench compares Granary's actors with those of other Go libraries, and with what one writes by hand.
//
//	go run . [-rounds N] [-cases tell,ask] [-peers granary,protoactor] [-write FILE]
//
// Each peer is a program of its own, in a module of its own below peer/, so that none of them is a dependency of anything
// else. They are built as these modules say, and run one at a time: in each round every case by every peer, in an order that changes from
// round to round. A run is ended after a minute, and may have 8 GiB of address space; a peer that needs more has failed in that case.
//
// The table has the median of all rounds. Ratios are of the two figures of one round, with the median and the range of all
// rounds: what the machine does otherwise harms both. With -write the table replaces the one in a Markdown file, between its two
// marks.
package main
