// Package door bounds what strangers can do to a port. A [Door] bounds how many connections a
// listener lets in: in all, and from one host. Connections whose other side has said who it
// is are not counted. One too many is closed before a byte of it is read, so that
// whoever is inside goes on. A [Hall] bounds how many requests there are that have not come in
// whole, and how long each may take.
package door
