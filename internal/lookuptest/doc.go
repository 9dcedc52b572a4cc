// Package lookuptest is a kit of the tests of identity lookups in databases: members and clients of one cluster in this
// process, whose grains' places are kept in a store, and a load on them.
//
//	f := lookuptest.New(t, redis.New(server.Options()))
//	a, b := f.Member(), f.Member()
//	f.AddEach(a, 300)
//	load := f.Load(300, a, b)
//	load.More(t, 500)
//	load.End()
//	f.Whole(300)
package lookuptest
