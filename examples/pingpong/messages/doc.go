// Package messages holds what the member and the client of the ping-pong
// example have in common: the messages and the code of the grain Ponger, both
// generated from pingpong.proto.
package messages
