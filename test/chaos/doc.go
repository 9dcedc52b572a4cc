// Package chaos runs clusters of real member processes, breaks what they stand on, and judges what they did by what everybody has recorded.
package chaos
