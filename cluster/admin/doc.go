// Package admin serves what people and tools want to know of a running cluster, and a few
// things that can be done to it: the gRPC service granary.admin.v1.Admin of
// wire/adminpb/admin.proto. The command granary speaks it.
//
// A member serves it only where its configuration says so, at the cluster's own address and
// with the cluster's TLS, and by itself it only lets people look:
//
//	c := cluster.New(system, cluster.Configure("shop", provider, remote.Configure("10.0.0.1", 8090), carts,
//		admin.Serve()))
//
// Calls of grains and what ends a member are allowed one by one, and a function decides
// who may:
//
//	admin.Serve(
//		admin.Allow(admin.Call, admin.Drain, admin.Leave),
//		admin.OnLeave(cancel), // the program ends as on SIGTERM
//		admin.WithAuthorization(func(ctx context.Context, r admin.Request) error {
//			caller, _ := peer.FromContext(ctx) // with TLS, the certificate is in its AuthInfo
//			return mayDo(caller, r.Operation)
//		}))
//
// Without TLS whoever reaches the port may ask.
//
// Whichever member is asked answers for the whole cluster: it asks the others by
// messages between their actors, over the connections that there are anyway, and names
// those that did not answer within [DefaultTimeout]. Members that do not serve the service
// are among these. What it costs is bounded: pages of grains, streams, questions that are
// answered at a time, and the events that are kept for those who watch.
package admin
