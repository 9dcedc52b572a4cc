// Package grainpb holds the messages of a grain call as they cross processes.
// Package cluster converts them at its edge.
package grainpb
