// Package etcdtest starts an etcd server for tests: a process of its own, on free ports of the loopback, with its
// data in a folder of the test. It can be stopped, started again on the same data, and paused.
//
//	server := etcdtest.Start(t)
//	client := server.Client(t)
//
// The program is Debian's etcd-server, which scripts/setup installs. A test on a machine without it fails and says
// so.
package etcdtest
