// Package lease tests what leases promise, with real processes on a real etcd: a member that is stopped by SIGSTOP for
// three lease times and goes on, members that are killed, five that are restarted one after the other, and an etcd
// that is gone for longer than the lease. All the while clients call counters of three kinds: leased and best effort
// ones, which keep their sum in memory, and strict ones, which keep it in a fenced store.
//
// There is nothing in it but tests. Members, and a client that is stopped together with a member, are the test's own
// program, started again (member_test.go). Members and clients write into one diary when a turn begins, when its reply
// is ready, when a call is made and when its reply has been accepted; the kernel puts the lines of all processes in one
// order, so that it shows without any clock what a stale activation did after its successor's first turn
// (diary_test.go). What was ever stored is read from etcd's own history (store_test.go).
//
//	go test -race -v ./lease
//	go test -race -v ./lease -run Crash -args -lease.kills=20 -lease.ttl=5s -lease.slack=1s
package lease
