// Command api writes what every public package exports into api/, one file a package, or, with -check, tells what of it
// is stale. A change of the surface is then a line of a diff, which a reviewer sees, and the compatibility promise in
// docs/compatibility.md speaks of.
//
//	go run ./api -root ..          # make api
//	go run ./api -root .. -check   # make check-api
//	go run ./api -root .. -count   # how many names each package exports
//
// Public is every package of the workspace that another module can import and that is no test, tool, benchmark or
// example of the house; a new one needs no registration here. The types come from the compiler's export data, so a
// file says what a program that imports the package sees, methods and fields of embedded types too.
//
// A line is an identifier with its type. Names of parameters are part of it: two strings that change places are a
// break that types do not show.
package main
