// Command generate writes the Go code of every .proto file of the house, or, with -check, tells what of it is stale.
//
//	go run ./generate -root ..          # make generate
//	go run ./generate -root .. -check   # make check-generate
//
// Which files there are, and which plugins each gets, is found by the rules in rules.go: a .proto file is compiled
// when it names a Go package of the house (option go_package), so a new one needs no registration here.
//
// Everything it runs is pinned: the compiler is the library protocompile, the plugins of Google are the tools
// named in tools/go.mod, and protoc-gen-go-grain is built from this tree. No protoc is needed, and the output does
// not depend on the machine, so the check compares bytes.
package main
