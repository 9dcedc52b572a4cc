// Package failover tests a cluster of real processes, on real sockets, through what happens to clusters: members
// join, one leaves, one is killed, and all the while a client calls a thousand grains that count.
//
// There is nothing in it but tests. A member is the test's own program, started again (member_test.go). What must be
// so is checked from two sides. The load (load_test.go) follows each counter from reply to reply: a counter goes on
// from where it was, in the activation it was in, unless its member has left or was killed. And all members write
// into one diary (diary_test.go) when an activation starts and when it has stopped; a file that is opened for
// appending puts the lines of all processes in the order in which they were written, so that two activations of one
// identity at one time would show, without any clock.
//
//	go test -race -v ./failover
package failover
