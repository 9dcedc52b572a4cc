// Package consultest starts Consul servers for tests: processes of their own, on free ports of the loopback, with their
// data in a folder of the test. They can be stopped, started again on the same data, emptied, and paused.
//
//	server := consultest.Start(t)
//	client := server.Client(t)
//
// The program is not in Debian; `make test-all` builds it. Tests find it in the folder that the environment variable
// GRANARY_TEST_SERVERS names. Where that is not set they are skipped and say so; where it is set and the program is not
// there they fail.
package consultest
