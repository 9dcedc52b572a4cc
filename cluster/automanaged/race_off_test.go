//go:build !race

package automanaged

const flappingSeeds = uint64(3)
