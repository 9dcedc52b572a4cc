// Package grainpb has the grain that the benchmarks call.
package grainpb
