// Package remotepb holds the messages with which two processes speak to each
// other: the handshake, the batches of actor messages and the goodbye of the
// room remote. wire/remotepb/remote.proto describes the protocol, for other
// programs that speak it; the code is internal, so that it may change.
package remotepb
