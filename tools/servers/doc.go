// Command servers builds the servers that tests start and that Debian does not have, through the Go module proxy:
//
//	$ go run ./tools/servers -list
//	etcd            v3.7.3    built, in …/servers/etcd-v3.7.3
//	consul          v1.22.5   not built; 8 to 16 minutes on one core
//	$ go run ./tools/servers consul
//	servers: building consul v1.22.5 once, into …/servers/consul-v1.22.5; 8 to 16 minutes on one core
//	export GRANARY_TEST_SERVERS='…/servers/current'
//
// Without names it builds all. Each is pinned by a module of its own, in test/servers, whose go.sum says what every
// byte of its source must be; to take another version, change it there. It is built once and kept by its version in
// $GRANARY_CACHE/servers (default: granary/servers in the user's cache folder). To build one again, delete its folder.
//
// The folder servers/current holds a link to each program that was asked for last. Tests look there when
// GRANARY_TEST_SERVERS names it, which `make test-all` sees to: a test whose server is not there then fails. Without
// the variable such a test skips, and says
//
//	needs consul, which `make test-all` builds
//
// for testcount to gather. What it does goes to standard error; standard output is the assignment alone, so that a
// shell can eval it. Several runs at once build one after the other.
package main
