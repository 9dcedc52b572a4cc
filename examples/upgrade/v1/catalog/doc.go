// Package catalog is the service Article in its version 1: what is generated from catalog.proto. Both versions have one
// name in protobuf, as they are one service; a program has either.
package catalog
