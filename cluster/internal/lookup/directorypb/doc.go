// Package directorypb holds the messages that the members of a cluster exchange
// when a database keeps where identities are active.
package directorypb
