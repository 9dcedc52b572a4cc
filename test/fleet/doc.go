// Package fleet holds what tests of a cluster of real processes share: members that are the test's own program, started
// again with a role ([Start], [Play]); the diary in which all processes write what happens, in one order ([Diary]);
// views to wait for ([Sees]); and what all of them log, shown when the test has failed ([Notes]).
//
// A test gives its member a role and waits for a line of it:
//
//	func TestMain(m *testing.M) { fleet.Main(m, variable, play) }
//
//	p, err := fleet.Start(t, notes, "member 1", variable, role{…})
//	…
//	line, err := p.Next(t.Context(), limit, "word that it is a member", …)
package fleet
