//go:build race

package cluster_test

const (
	// manyCallers is below the number of goroutines that the race detector bears.
	manyCallers = 6000
	killSeeds   = 5
)
