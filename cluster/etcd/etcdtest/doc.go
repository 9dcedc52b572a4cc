// Package etcdtest starts etcd for tests: one server or three, each a process of its own, on free ports of the
// loopback, with its data in a folder of the test. A server can be stopped, started again on the same data, and paused.
//
//	server := etcdtest.Start(t)
//	client := server.Client(t)
//
//	three := etcdtest.Newest.StartThree(t)
//	three.Leader(t).Stop()
//
// [Oldest] is Debian's etcd-server, which scripts/setup installs. A test on a machine without it fails and says so.
// [Newest] is compiled by tools/servers; tests find it in the folder that GRANARY_TEST_SERVERS names, as `make test-all`
// arranges. Without that variable a test that wants it skips and says so, with it a program that is missing is a failure.
package etcdtest
