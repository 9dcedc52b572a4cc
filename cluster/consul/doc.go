// Package consul keeps the membership of a cluster in Consul, with sessions, and the state of strict grains.
//
//	provider := consul.New(api.Config{Address: "127.0.0.1:8500"})
//	config := cluster.Configure("shop", provider, remote.Configure("10.0.0.7", 0), kinds...)
//	c := cluster.New(actor.NewActorSystem(), config)
//	err := c.Start()
//
// Kinds of every guarantee run on it: best effort, lease, and strict with a [FencedStore]. The address is that of any
// Consul agent, as a rule the one on the same machine; Consul need not be used by this cluster alone.
//
// # What is stored
//
//	$ consul kv get -recurse -detailed granary/shop/
//	granary/shop/members/7XK2M4QBT3VDWNRA   what the member is; held by its session
//	granary/shop/view                       the view record; above 256 KiB its parts are under granary/shop/parts/
//
// The view record is changed by check-and-set on its index alone, and read with consistent reads, so that views have one
// order, and all members see the same ones. A member's key is deleted by Consul when its session ends; the others then
// take it out of the view. Both are JSON, for people to read. Deleting the record makes all members join again under new
// ids after the lease time; their grains stop and start anew. A member whose key or session is deleted is out at once:
// delete only those of processes that have ended, as one that cannot be told acts until its lease has ended, beside those
// who have taken over. In names all but letters, digits, dots, dashes, underscores and tildes is escaped, as in a=2Fb for
// a/b.
//
// The sessions are on a node of the catalog that the first member makes, granary-shop, and have no checks. Those that
// Consul makes as it comes are on the agent's own node, and end with it: when an agent is stopped with a leave, or its
// health check fails, long before the lease time is over. Nobody but an operator takes the node away, and with it all members.
//
// # What operators see
//
// Each member is a service of the agent, too, named granary-shop, with the member's id and address, its kinds as tags,
// and its labels as metadata, as far as Consul allows their letters:
//
//	$ curl http://127.0.0.1:8500/v1/health/service/granary-shop
//	$ dig @127.0.0.1 -p 8600 Cart.granary-shop.service.consul SRV
//
// Its check passes while the member renews its lease. It is for people and dashboards, and never a proof of anything: the
// view record is. A member that leaves takes it back; that of one that crashed turns critical after the lease time, and a
// minute later ([DeregisterAfter]) the agent removes it. If the agent refuses it, a warning says so, and the member runs without.
// [WithService] names it, [WithoutService] turns it off.
//
// # Permissions
//
// With ACLs the members' token needs this policy, and observers (clients of the cluster) read on the first alone:
//
//	key_prefix "granary/shop/" { policy = "write" }
//	session    "granary-shop"  { policy = "write" }
//	node       "granary-shop"  { policy = "write" }  # once, to make the node
//	service    "granary-shop"  { policy = "write" }  # for operators to see the members
//
// # The lease time
//
// Consul ends a session not before the lease time, [WithTTL], and as a rule twice that after it was renewed: a member that
// crashes is out of the view after 17 to 20 s as it comes. Nine tenths of the lease time after a member's last renewal that succeeded its
// leased and strict grains stop, until Consul can be reached again. It renews after each third: an outage of a little
// more than half of the lease time stops no grain. Consul refuses less than 10 s unless session_ttl_min of its servers
// allows it. The first start of a cluster waits for one lease time. A change of leader only makes sessions longer. What a
// renewal proves is explained at the store's Renew. The clock that counts is the member's own, and may differ in rate
// from the server's by a tenth.
//
// # Failures
//
// A call that is not answered is given up after a third of the lease time. The agent finds another server by itself; the
// agent is the only way to Consul, and one that is away for long ends the lease of its members. Blocking queries last five
// seconds at most, and then the member reads in any case. Calls that fail are made again after growing pauses, up to a
// second.
package consul
