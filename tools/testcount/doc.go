// Command testcount runs the tests of every module of the workspace and closes with one line of counts:
//
//	212 passed, 0 failed, 3 skipped
//
// It exits 1 when something failed, and when nothing ran at all: a green run of no tests is no run.
//
// For each module of go.work it first builds and vets the module by itself (GOWORK=off), as somebody who requires it
// gets it: the workspace chooses the highest version of a dependency over all modules, so a requirement that is
// missing or too old in one go.mod shows only there, and shows when compiling. The tests then run once, in the
// workspace, with the race detector; running them a second time would double the time and find the same faults.
//
// The first module is tested alone, the others three at a time ([-at-once N]): those of the providers mostly wait for leases.
//
// The modules of [-later], which take long to compile or want servers that do, are left out unless GRANARY_TEST_SERVERS
// says that there are servers; a line says so.
//
// A test that wants a server which tools/servers builds skips where there is none, and says "needs consul, which `make
// test-all` builds" (in one line); or installs, of what scripts/setup has besides. One line after each module adds these up. With GRANARY_TEST_SERVERS set, which says
// that there are servers, such a skip is a failure.
//
// What is counted are tests without subtests, and the subtests themselves; examples and fuzz seeds are tests too. A
// package that does not build, or breaks outside of a test, is one failure, and so is a module that does not build
// by itself.
//
// Tests that fail while another module is tested are run once more at the end, alone: the servers of the providers and the
// leases above them measure time, and a machine that stands still for longer than a lease fails them with reason. What
// they said is shown all the same, and the closing line says how many then passed. A data race, a panic, a crash, what
// fails in the core, and what fails again, is a failure.
//
// A package that ends because the race detector itself broke ("ThreadSanitizer: CHECK failed", or a fault
// outside of Go's code), before any test of it
// failed, is tested once more, and the closing line says how many were.
package main
