// Package dashboard shows a running cluster in a browser: its members and how they are,
// grains by kind and member, the slots and which of them are on their way, rates and
// latencies as plots, what happens as it happens, where a grain is and why, and dead letters.
//
// A [Dashboard] is an http.Handler. A member mounts one in its own program, whose cluster
// option serves the admin service, too, in the place of admin.Serve:
//
//	board, served := dashboard.Serve()
//	defer board.Close()
//	c := cluster.New(system, cluster.Configure("shop", provider, remote.Configure("10.0.0.1", 8090), carts, served))
//	…
//	http.Handle("/granary/", http.StripPrefix("/granary", board))
//
// The other members only need admin.Serve. From outside, as 'granary dashboard' does, it asks
// any member that serves the admin service, and goes on with another when that one goes:
//
//	conn := dashboard.Connect([]string{"10.0.0.1:8090", "10.0.0.2:8090"}, func(address string) (*grpc.ClientConn, error) {
//		return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds))
//	})
//	defer conn.Close()
//	board := dashboard.New(adminpb.NewAdminClient(conn))
//	defer board.Close()
//	server := &http.Server{Addr: "127.0.0.1:8900", Handler: board, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10}
//	log.Fatal(server.ListenAndServe())
//
// # Who may look
//
// It asks nobody for a password: whoever reaches the handler sees the cluster, identities
// included. Mount it where only operators come, or behind a handler that knows them. It is
// read-only unless [WithAllow] says otherwise; what is done to a member that one has to
// allow as well, by admin.Allow. Requests that change something are refused if a page of
// another origin makes them.
//
// The handler bounds viewers, questions and what they send, and how long all of it takes. Connections
// are its server's: without ReadHeaderTimeout one that says nothing is kept for ever. The name by
// which a browser asks is the server's business, too: on the loopback, refuse names that are none
// of its, or a page whose name leads there reads along.
//
// The page is plain HTML, CSS and JavaScript out of the binary. It loads nothing from elsewhere
// and runs no script but its own, which the content security policy holds it to: names of
// kinds and identities are shown as text, whatever is in them.
//
// # What it costs
//
// While nobody looks, nothing. Otherwise the cluster is asked once for all viewers, in each
// [DefaultInterval]: three questions to each member. What is kept is bounded: [MaxPoints] points of
// each plot, [MaxEvents] events, [MaxDead] samples of dead letters, and for a viewer who reads slowly [MaxPending] events and the
// newest state; it is told how many events were left out. Members beyond [MaxMembers] and
// kinds beyond [MaxKinds] are counted and not listed.
//
// # What it cannot tell
//
// The admin service knows how many messages grains have handled, and no call by itself: not how
// long calls took, not which failed, not the recent calls of one grain. A program that measures
// its calls gives rates, errors and latencies by [WithCalls]; without it the page says so, and
// shows how long the cluster took to answer. Of a lease there is the phase, not the time left.
package dashboard
