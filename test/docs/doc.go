// Package docs tests the documents: README.md, docs/ and the other Markdown files of the house.
//
//   - Every link leads somewhere: to a file of the tree and, with a #fragment, to a heading of it. Links to other hosts
//     are looked at for their form alone; no test here uses the network.
//   - Every Go block is compiled against this tree, and what prints is run: in `make test-all`, as it takes a minute.
//   - The pages of reference that are made of the source are as the source is: go test ./docs -args -docs.write, in the
//     folder test, writes them anew.
//
// # Blocks of Go
//
// A block is a whole program or file if it begins with a package clause. Otherwise it is declarations, statements, or
// both, and is completed by the test: imports are added by the names of their packages (packages_test.go has the list), and
// statements become the body of a function in which these are known:
//
//	ctx context.Context; system *actor.ActorSystem; c *cluster.Cluster; provider driver.Provider
//	remoteConfig *remote.Config; kind *cluster.Kind; kinds []cluster.Option
//
// It returns an error where the statements do. Variables that nobody uses are no mistake. The package carts, below this folder, is a
// grain for all pages: its blocks may call it without an import.
//
// What a block needs besides, and a reader does not, stands in a comment before it:
//
//	<!-- go: with
//	declarations that the block's package has, too
//	-->
//	<!-- go: func(parameters) results -->   the statements are the body of such a function
//	<!-- go: same -->                       the block is in the package of the block before
//	<!-- go: from examples/ledger -->       the block is shown as it stands in a file of that folder (or in that file); a line
//	                                        "…" stands for what was left out
//	<!-- go: all from examples/ledger -->   the same for this block and all that follow on the page
//	<!-- go: other -->                      the block is code of another library, shown to compare: it is not compiled
//	<!-- go: page                           as "with", for each block that follows on the page
//	declarations
//	-->
//
// # What is run
//
// A program of package main, or a block with a hidden func main, that is followed by a block `text`, or by a block `console` with the line "$ go run . ARGUMENTS", has
// to print just what stands there, behind that line. Statements that end in a comment "// Output:", as examples of packages do, are run as
// main, and have to print what the comment says. Blocks of language protobuf with an option go_package that ends in ";main" are
// generated into the programs that follow on the page.
package docs
