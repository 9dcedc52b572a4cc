// Package membertest plays the members of a cluster in the tests of providers: processes that join as a cluster does,
// watch the view, and join again under a new id when they were removed.
//
//	a := membertest.Join(t, provider, membertest.Request("", "127.0.0.1:1"))
//	b := membertest.Join(t, provider, membertest.Request("", "127.0.0.1:2"))
//	a.Holds(t, a, b)
//	server.Restart(t) // without what it had
//	membertest.Again(t, a, b)
package membertest
