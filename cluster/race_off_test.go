//go:build !race

package cluster_test

const (
	manyCallers = 10_000
	killSeeds   = 20
)
