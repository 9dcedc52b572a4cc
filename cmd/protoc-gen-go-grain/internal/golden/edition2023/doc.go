// Package edition2023 is a golden case: a file of an edition, with messages
// of the opaque API.
package edition2023
