// Package providers runs clusters of real member processes on every membership provider, with the real service behind it.
//
// TestEmptied and TestLeaderKilled do to the service what a cluster has to live with. TestLookups has databases keep where
// grains are active. TestTables measures: three members and a client that calls, while one is killed, one joins, one leaves,
// all are restarted in turn, and the service is stopped for two lease times and started again.
//
//	make tables
//
// appends what it measures to a file, a line a round, so that a run that was broken off goes on where it was, and writes
// the table in docs/providers.md anew. The figures are no test of speed: they are medians and worst cases of a few rounds
// on the machine at hand. In `make test-all` one round without a service shows that the scenario itself works.
package providers
