// Command bench compares Granary with other Go libraries, and with what one writes by hand: actors within a process, remoting between two
// processes, and grains on a cluster of three. Each has a table of its own.
//
//	go run . [-tables actor,remote] [-rounds N] [-cases tell,ask] [-peers granary,protoactor] [-write FILE]
//
// Each peer is a program of its own, in a module of its own below peer/, so that none of them is a dependency of anything
// else. They are built as these modules say, and run one at a time: in each round every case by every peer, in an order that changes from
// round to round. A run is ended after a minute, and may have 8 GiB of address space; a peer that needs more has failed in that case.
// A program whose case needs other processes starts itself once more for each; the bounds hold for each of them.
//
// A table has the median of all rounds. Ratios are of the two figures of one round, with the median and the range of all
// rounds: what the machine does otherwise harms both. With -write the tables replace those in a Markdown file, each between its two
// marks.
package main
