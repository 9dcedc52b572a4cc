// Package messages has messages for the services of another package, and none
// of its own: no grain file is generated.
package messages
