// Package oldproto is a golden case: a proto2 file, in a Go package that is
// not called as its folder.
package oldproto
