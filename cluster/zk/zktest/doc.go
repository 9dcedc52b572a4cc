// Package zktest starts ZooKeeper for tests: processes of their own, on free ports of the loopback, with their data in
// a folder of the test. A server can be killed, started again on its data or without it, and paused; an ensemble of
// three elects a leader, and a server of it can be cut off from the others.
//
//	server := zktest.Start(t)
//	provider := zk.New([]string{server.Address})
//
// A [Proxy] stands between a client and a server, and makes the network fail.
//
// The programs are Debian's openjdk-17-jre-headless and libzookeeper-java, which scripts/setup installs. A test on a
// machine without them fails and says so.
package zktest
