// Package options is a golden case: what rpcs say about themselves.
package options
