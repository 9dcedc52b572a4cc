// Command release makes a release of all modules that users require: make release VERSION=v0.1.0.
//
// It works in a clone, and touches the checkout only when what came of it has been tried:
//
//  1. CHANGELOG.md: what is under "Unreleased" becomes the version, with the date.
//  2. The go.mod of each module asks for the others in that version; those of the published modules lose their replace
//     lines, which go install refuses, and their go.sum gets the sums.
//  3. This is the release commit. It is tagged once for each published module: v0.1.0, cluster/etcd/v0.1.0, …
//  4. A second commit makes the modules see the folders beside them again.
//  5. The modules, as a module proxy would give them, are served on the loopback: go install …/cmd/granary@v0.1.0 works,
//     and the program says its version.
//  6. The branch goes forward to the second commit, and gets the tags. Nothing is pushed: the commands for that are printed.
//
// With -dry-run (DRYRUN=yes) the last step is left out, and the clone stays for a look at it.
//
// Published is what go.work names, but the modules in unpublished, in modules.go.
package main
