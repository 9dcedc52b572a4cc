// Package remotepb holds the messages with which two processes speak to each
// other: the handshake, the batches of actor messages and the goodbye of the
// room remote. See remote.proto, which describes the protocol.
//
// Programs do not use this package; it is exported so that tests and tools can
// speak the protocol.
package remotepb
