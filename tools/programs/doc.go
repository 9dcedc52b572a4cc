// Package programs knows which programs the scripts and tests of the house run, and who provides them.
//
// Its test walks the tree: the shell scripts, the recipes of the Makefile, and every exec.Command in Go code with a
// program's name in it. It fails on a program that is not in its table, and on one from a Debian package that
// scripts/setup does not install. So what passes on a machine with many programs also passes on one with few.
//
// To use a new program, add it to the table with the package that has it, and the package to scripts/setup:
// to packages, or to extra if only tests of `make test-all` run it.
package programs
