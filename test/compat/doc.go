// Package compat holds the compatibility promise (docs/compatibility.md) to what it says: members of a former revision
// and of this one are one cluster. They call and message each other, agree about views, read what the other has stored,
// and each leaves gracefully, as in a rolling upgrade and its way back.
//
// The former revisions are taken from the history of this clone and built: the commit before, and the newest release,
// or, as long as there is none, a pinned commit. Their member is their own copy of the program in member, or this one's,
// built against their code, where they have none.
//
//	GRANARY_TEST_SERVERS=- go test -v ./compat
//	GRANARY_TEST_SERVERS=- go test -v ./compat -args -compat.revisions=v0.3.0,v0.2.1
package compat
