// Package health says whether a process of a cluster is alive and ready, over HTTP and by the
// health service of gRPC, and why it is not.
//
//	http.Handle("GET /live", health.Handler(c))
//	http.Handle("GET /ready", health.Handler(c))
//
// and for whoever speaks gRPC, at the cluster's own address and with its TLS:
//
//	cluster.Configure("shop", provider, remoteConfig, carts, health.Serve())
//
// Ready is who is in the view, not leaving, with a valid lease, and whose slots were all
// open once: give it to a readiness probe, and to a load balancer. Alive is who is on its
// way there, too. A process is not alive when its start has failed or its cluster is shut
// down: only then does a restart help. A member that lost its lease or was removed joins again
// by itself.
package health
