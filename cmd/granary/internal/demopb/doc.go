// Package demopb holds the messages and the grain that the demo calls, both
// generated from counter.proto.
package demopb
