// Package servertest starts real servers for tests: processes of their own, at addresses of the loopback that are theirs
// for as long as the test runs. The kits of the providers are built on it; each knows its server's settings, and when that
// serves.
//
//	address := servertest.Address(t)
//	server := servertest.New("redis at "+address, command, ready)
//	t.Cleanup(server.Stop)
//	if err := servertest.Start(server); err != nil {
//		t.Fatal(err)
//	}
//	server.Pause(t)
//	server.Resume(t)
//	server.Restart(t)
//
// # Addresses
//
// A port that was found free by listening on it for a moment may be somebody else's when the server comes to it, or comes
// back to it after a while of being stopped: the system gives it to the next connection or listener that asks for any.
// Trying again with others helps at the first start only. So a port here is reserved: a socket is bound to it that never
// listens, which keeps everybody away but those who ask for this very port, and goes with the test or its process. And
// it is none of those that the system gives out, of which a client that tries to reach a server that is stopped may
// be given the very port that it tries, and then talks to itself.
package servertest
