// Package zk keeps the membership of a cluster in ZooKeeper, with leases.
//
//	provider := zk.New([]string{"10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.3:2181"})
//	config := cluster.Configure("shop", provider, remote.Configure("10.0.0.7", 0), kinds...)
//	c := cluster.New(actor.NewActorSystem(), config)
//	err := c.Start()
//
// Kinds of every guarantee run on it; strict ones keep their state elsewhere, in a store that a [driver.FencedStore]
// is made of. It needs ZooKeeper 3.4 or newer and is tested with 3.8; the servers need not be used by this cluster alone.
//
// # What is stored
//
//	$ zkCli.sh -server 10.0.0.1
//	ls -R /granary/shop
//	/granary/shop/members/7XK2M4QBT3VDWNRA   what the member is; ephemeral, its mtime is the last renewal
//	/granary/shop/view                       the view record: get /granary/shop/view
//	/granary/shop/view/PZ3K…                 empty; goes with the record
//
// The record is changed by conditional writes alone, so that views have one order, and all members see the same ones. A
// member's node is deleted by ZooKeeper when its session ends; the others then take it out of the view. Both are JSON,
// for people to read. Deleting the record (deleteall /granary/shop/view) makes all members join again under new ids after
// the lease time; their grains stop and start anew. A member whose node is deleted is out at once: delete only nodes of
// processes that have ended, as one that cannot be told acts until its lease has ended, beside those who have taken over.
// A record has at most [MaxRecord] bytes.
//
// # Permissions
//
// With [WithAuth] all nodes are made for these credentials alone. Without, everybody who reaches the servers may change
// them. Nodes that are there keep their rights: to have /granary made by somebody else, let the members' user read,
// write, create and delete there:
//
//	addauth digest granary:secret
//	create /granary
//	setAcl /granary auth:granary:cdrw
//
// Credentials of the scheme digest cross the network as they are: use TLS ([WithDialer]).
//
// # The lease time
//
// A member has two sessions. One reads and writes. The other holds the member's node and is kept up by renewals alone:
// each is a write that a majority of the servers has agreed on, as a server that has lost its leader answers pings and
// reads for a while. Its time-out is twice the lease time, since of a write that was agreed on the leader may not have
// heard yet as a sign of life; see touches in the source. So a member that crashes is out of the view after two lease
// times, [WithTTL], and one tick of the servers. Nine tenths of the lease time after a member's last renewal that
// succeeded its leased and strict grains stop, until ZooKeeper can be reached again. It renews after each third: an
// outage of a little more than half of the lease time stops no grain.
//
// 10 s, the default, suits most; 5 s finds a crash sooner. Servers grant sessions of 2 to 20 ticks: 4 to 40 s with the
// usual tickTime, which are leases of 2 to 20 s; more needs a higher maxSessionTimeout. The first start of a cluster
// waits for one lease time.
//
// # Failures
//
// A server that does not answer a call in time, a third of the lease time, is left for another: give all of them. Host
// names are resolved anew for each connection. A session that is over is never continued under the same member id: a new
// one owns nothing of the old. A change of the leader only makes sessions longer. A server that lets a session go on with
// a shorter time-out than before, as after a change of tickTime or maxSessionTimeout, makes the lease shorter; if it is
// less than half, the member joins again under a new id. A watch that was lost with its connection makes the member read
// again; it also reads every five seconds. Calls that fail are made again after growing pauses, up to a second.
package zk
