// Package exchange is remoting as one writes it by hand: messages that wait are written together, whoever sends meanwhile waits for nobody, and an answer is
// known by the number of its question. What carries the batches is a [Link]: the floors have one over TCP and one over a stream of gRPC.
package exchange
