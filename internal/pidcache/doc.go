// Package pidcache remembers where identities were last found, so that a
// cached call asks nobody but the activation.
//
// A [Cache] is pure: it knows neither clock nor lock nor what a location is.
// It holds a bounded number of entries and gives up the least recently used.
package pidcache
