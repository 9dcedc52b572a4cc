// Package etcd keeps the membership of a cluster in etcd, with leases, and the state of strict grains.
//
//	provider := etcd.New(clientv3.Config{Endpoints: []string{"http://10.0.0.1:2379"}})
//	config := cluster.Configure("shop", provider, remote.Configure("10.0.0.7", 0), kinds...)
//	c := cluster.New(actor.NewActorSystem(), config)
//	err := c.Start()
//
// Kinds of every guarantee run on it: best effort, lease, and strict with a [FencedStore]. It needs etcd 3.4 or newer;
// the servers need not be used by this cluster alone.
//
// # What is stored
//
//	$ etcdctl get --prefix /granary/shop/
//	/granary/shop/members/7XK2M4QBT3VDWNRA   what the member is; bound to its lease
//	/granary/shop/view                       the view record
//
// The view record is changed by transactions on its revision alone, so that views have one order, and all members see
// the same ones. A member's key is deleted by etcd when its lease ends; the others then take it out of the view.
// Both are JSON, for people to read. Deleting the record, or the keys of members, makes their members join again under
// new ids; their grains stop and start anew.
//
// Who uses authentication gives the members' user the right to read and write the prefix, and nothing else:
//
//	$ etcdctl role grant-permission granary --prefix=true readwrite /granary/shop/
//
// # The lease time
//
// A member that crashes is out of the view after the lease time, [WithTTL]. Nine tenths of it after a member's last
// renewal that succeeded its leased and strict grains stop, until etcd can be reached again. It renews after each third:
// an outage of a little more than half of the lease time stops no grain. 10 s, the default, suits most; 5 s finds a crash
// sooner, 30 s survives a longer outage; the first start of a cluster waits that long. A change of etcd's leader only makes leases longer. A renewal counts from before it was
// sent, with the time that the server granted, and only if the server that granted it was still the leader afterwards: see
// the store's Renew. The clock that counts is the member's own, and may differ in rate from the server's by a tenth.
//
// # Failures
//
// A server that does not answer is noticed by a time-out for each call, a third of the lease time, and by keep-alive
// probes, after 13 s; give the endpoints of all servers, and another is used. A watch that was compacted away, cancelled,
// or that lost its leader makes the member read again; it also reads every five seconds. Calls that fail are made again
// after growing pauses, up to a second.
package etcd
