// Package membershippb holds the messages of the pings by which the members of
// a cluster without a store find each other. wire/membershippb/membership.proto
// describes the protocol.
package membershippb
