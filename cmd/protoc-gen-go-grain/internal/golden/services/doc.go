// Package services is a golden case: several services in a file, one of them
// without rpcs, and messages of other packages.
package services
