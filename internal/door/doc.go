// Package door bounds how many connections a listener lets in: in all, and from one host.
// Connections whose other side has said who it is are not counted. One too many is closed
// before a byte of it is read, so that whoever is inside goes on.
package door
