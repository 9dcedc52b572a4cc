// Package migration follows docs/migration.md with programs of Proto.Actor Go, in the style of 2021 and in that of 2026:
// its rules, by sed, its steps, and what comes of them is built and run. It also holds the tables of the guides to
// what there is: every name of Proto.Actor Go is in them, and every name of ours that they give exists.
//
// testdata/protoactor.txt lists the names, by package: those that Proto.Actor Go exports at v0.0.0-20260118094027, and the methods and
// fields of the types that programs hold in their hands.
package migration
