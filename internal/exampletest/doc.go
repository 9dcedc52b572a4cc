// Package exampletest runs the programs of examples/ in their tests, as processes, and compares what they print with what
// their README.md shows: what a reader is promised is what the test looks for.
//
//	program := exampletest.Build(t, "./member")
//	member := exampletest.Start(t, program, "-port=8090")
//	member.Until("is ready")
//	member.Terminate()
//	exampletest.Compare(t, exampletest.Shown(t, 0), member.Wait())
//
// A process ends with its test, and is killed when it runs for longer than [Patience]: no test of an example hangs.
package exampletest
