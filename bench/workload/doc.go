// Package workload is what actor systems are compared by: one set of cases, which sees each system through one small
// interface, [Peer]. A program of a peer is a call of [Main]; it runs one case and prints a [Result] as a line of JSON.
//
// Every case counts the messages at those who receive them. One in which a message is lost does not end; who runs it bounds its time. What is in flight is bounded where a
// sender does not wait for answers, so that no peer is asked to queue without end.
package workload
