//go:build race

package automanaged

// flappingSeeds is how often fifty members have links that flap: each time takes twenty seconds.
const flappingSeeds = uint64(1)
