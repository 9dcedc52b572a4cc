// Package benchpb has the messages that the peers of the benchmarks send between processes.
package benchpb
