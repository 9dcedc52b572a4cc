// Package cluster is called as a package that generated code imports.
package cluster
