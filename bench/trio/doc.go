// Package trio is what clusters are compared by: one set of cases, each with three members and a client, four processes of one program on the loopback,
// which see a library through one small interface, [Peer]. A program of a peer is a call of [Main]. With -case it is the client: it starts the members, runs
// the case and prints a [workload.Result] as a line of JSON.
//
// A grain is called by its name, and says which member it is on. Each case makes sure that grains are on all three.
package trio
