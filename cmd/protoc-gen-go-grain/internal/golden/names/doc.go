// Package names is a golden case: names that are words of Go or of the
// generated code, and names in snake case.
package names
