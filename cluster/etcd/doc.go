// Package etcd keeps the membership of a cluster in etcd, with leases, and the state of strict grains.
//
//	provider := etcd.New(clientv3.Config{Endpoints: []string{"http://10.0.0.1:2379"}})
//	config := cluster.Configure("shop", provider, remote.Configure("10.0.0.7", 0), kinds...)
//	c := cluster.New(actor.NewActorSystem(), config)
//	err := c.Start()
//
// Kinds of every guarantee run on it: best effort, lease, and strict with a [FencedStore]. It is tested on etcd 3.4.23
// and 3.7.3, one server and three; the servers need not be used by this cluster alone.
//
// # What is stored
//
//	$ etcdctl get --prefix /granary/shop/
//	/granary/shop/members/7XK2M4QBT3VDWNRA   what the member is; bound to its lease
//	/granary/shop/view                       the view record
//
// The view record is changed by transactions on its revision alone, so that views have one order, and all members see
// the same ones. A member's key is deleted by etcd when its lease ends; the others then take it out of the view.
// Both are JSON, for people to read. Deleting the record makes all members join again under new ids after the lease time;
// their grains stop and start anew. A member whose key is deleted is out at once: delete only keys of processes that have
// ended, as one that cannot be told acts until its lease has ended, beside those who have taken over.
//
// # Who may
//
// Who uses authentication gives the members' user the right to read and write the prefix, and nothing else:
//
//	$ etcdctl role grant-permission granary --prefix=true readwrite /granary/shop/
//
// A user with a password costs the server a check of it, 60 to 100 ms of a processor, for each renewal and each watch; a
// client certificate costs nothing. A wrong user, right, certificate or endpoint is an error of Join that says so. An
// endpoint that is http:// beside a TLS configuration, or that holds a password, is refused. Errors and logs never tell a
// password. Servers up to 3.4 lock a client of clientv3 out for good once they have forgotten its user's token (after
// --auth-token-ttl without a call, or a restart). [New] gets over it; with [NewWithClient] or a [FencedStore], on a client
// of one's own, use a client certificate there instead of a user, or 3.5.
//
// # The lease time
//
// A member that crashes is out of the view after the lease time, [WithTTL]. Nine tenths of it after a member's last
// renewal that succeeded its leased and strict grains stop, until etcd can be reached again. It renews after each third:
// an outage of a little more than half of the lease time stops no grain. 10 s, the default, suits most; 5 s finds a crash
// sooner, 30 s survives a longer outage; the first start of a cluster waits that long. A change of etcd's leader takes one
// to two seconds, in which nothing is renewed, and only makes leases longer; less than 5 s is too short for it. A renewal
// counts from before it was sent, with the time that the server granted, and only if the server that granted it was still
// the leader afterwards: see the store's Renew. The clock that counts is the member's own, and may differ in rate from the
// server's by a tenth.
//
// # Failures
//
// Give the endpoints of all servers. Each call takes the next; one that is not answered is made again on another after a
// quarter of its time, a twelfth of the lease time, so that a server that hangs, or is cut off in silence, ends no lease.
// Probes find that out after 13 s. With one endpoint a call takes up to a third of the lease time. A watch that does not
// begin within a second, that was compacted away, cancelled, or that lost its leader makes the member read again; it also
// reads every five seconds. Calls that fail are made again after growing pauses, up to a second.
//
// Two things that operators do, or machines, are beyond what leases promise:
//
//   - A leader of etcd that is frozen for longer than the lease time (a paused virtual machine, say) and goes on may take
//     leases for ended that its successor has renewed, and end them: seen with 3.4.23 and with 3.7.3, in 5 of 16 tries.
//     Their members are removed, notice it as soon as they read that, and join again under new ids. Until then, an instant
//     as a rule, a leased grain may be active twice; the writes of a strict one are refused.
//   - An etcd that is restored from older data has forgotten views and members. Members notice it and join again; epochs,
//     and tokens with them, go on from the highest that a process which is there has seen. If all were stopped meanwhile
//     nobody knows that: then delete the prefix before the first one starts (etcdctl del --prefix /granary/shop/), and the
//     cluster is founded anew, with numbers from the time of day. With the old record tokens would come again, which
//     strict stores refuse.
package etcd
