// Package pair is what remoting is compared by: one set of cases, each with two processes of one program on the loopback, which see a library
// through one small interface, [Peer]. A program of a peer is a call of [Main]. With -case it starts itself once more, as the process that is sent to,
// runs the case and prints a [workload.Result] as a line of JSON.
//
// What is told is counted where it arrives, and at most 65,536 messages or 3 MiB are in flight, so that no peer has to drop any. A message that is lost
// makes its case fail: nothing is sent again. A case ends before it has made all its operations when it has lasted ten seconds.
package pair
