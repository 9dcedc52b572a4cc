// Package membershippb holds the messages of the pings by which the members of
// a cluster without a store find each other. See membership.proto, which
// describes the protocol.
//
// Programs do not use this package; it is exported so that tests and tools can
// speak the protocol.
package membershippb
