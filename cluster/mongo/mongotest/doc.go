// Package mongotest gives tests a server that speaks MongoDB's protocol: FerretDB v1 on SQLite, which tools/servers compiles, at
// a free port of the loopback, with its data in a folder of the test. Where GRANARY_TEST_SERVERS is not set, a test that
// wants it skips and says so.
//
// It is no MongoDB: only an insert is atomic in it, and it has no replica set. [Start] gives every test what both can do; tests of what
// only MongoDB has call [Real], which skips unless GRANARY_TEST_MONGO_URI names one.
package mongotest
