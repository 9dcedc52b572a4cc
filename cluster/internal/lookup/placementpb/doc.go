// Package placementpb holds the messages of the placement protocol as they
// cross processes. The partition lookup converts them at its edge.
package placementpb
