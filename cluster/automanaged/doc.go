// Package automanaged is a membership provider without an outside service: the
// members ping each other and agree on who is there. It is for development,
// tests and small clusters in a quiet network.
//
//	provider := automanaged.NewWithConfig(time.Second, 6331, "localhost:6331", "localhost:6332")
//	config := cluster.Configure("shop", provider, remote.Configure("127.0.0.1", 0), kinds...)
//	c := cluster.New(actor.NewActorSystem(), config)
//	err := c.Start()
//
// # How members find each other
//
// Each member answers pings on a port of its own, beside the port of its
// actors, and pings every host of its list. The members may be started in any
// order, and the list may hold hosts that are dead: a newcomer needs to reach
// one live member. Give all members the same list all the same. Two members
// that list different hosts, neither of which is up, found two clusters, and
// one of these is dissolved when they meet.
//
// A host may be a name with several addresses, also one that leads to all
// members, as a headless service of Kubernetes does: all of them are pinged, and
// the own address may be among them. Names are looked up with each try while a
// process is in no view, or a client follows nobody, and after ten refresh
// intervals otherwise; a look-up that fails changes nothing. [Provider.WithLookup]
// replaces the system's resolver.
//
// The first view is made by the newcomer with the lowest id, as soon as every
// host of the list has answered or has failed twice. Where nobody else listens
// this takes less than half a second; a host that swallows packets costs two
// time-outs, of a refresh interval each; and a member that is not on its own
// list, and whom nobody answers, waits three seconds, because others that were
// started with this list may do the same. From then on the member that has been
// in the view longest is its coordinator: it takes in newcomers, takes out the
// lost, and numbers the views. Hosts of the list of which no address answers
// are pinged five times a second, so that whoever comes to life there hears of
// the view. The numbers start at the time of day: clocks need to be right to
// within a year, and a view that is further ahead is not taken, with a warning.
//
// A list that is wrong shows in the log: a member that founds a cluster of its own
// while hosts of its list do not answer warns, and names each of them with the
// reason. On the first start of a cluster the first member does so, too.
//
// A client asks the members of the last view that it has, then the hosts of
// the list, each in an order of chance. It asks the next one as soon as one has
// failed, or has said nothing for 200 ms, and follows the first that gives a
// view. The worst case is therefore 200 ms for each address that swallows
// packets, and the time of one answer.
//
// # When a member is lost
//
// A member goes out of the view when it leaves ([driver.Session] Leave, which
// cluster.Shutdown calls), when three pings in a row failed and nothing was
// heard from it meanwhile ([Provider.WithMissedPings]), or when another process
// answers at its ping address. A process that dies closes its connections, and its
// machine refuses new ones: then it is pinged at once, and the further pings follow
// after 200 ms each, so that a crash is noticed within about half a second. A machine
// that vanishes, or a process that hangs, says nothing: with the default refresh
// interval of a second it is noticed after three to four.
//
// What refuses connections in the name of a member, such as a firewall that rejects or a
// Service of Kubernetes without endpoints, takes it for dead as quickly: members should
// reach each other directly, as the pods behind a headless service do.
//
// A tight interval takes the living for dead: with 200 ms and three misses, a
// member that gets no processor for half a second, because its machine is busy
// or collects garbage, is removed, stops its grains and joins again. Keep to a
// second and three misses; on busy or shared machines rather take two seconds,
// or five misses. Tests on a quiet machine may go down to 200 ms. The interval
// times the misses should be well above the longest pause that you expect, and
// the same on all members.
//
// A process that is wrongly taken for dead learns so from the next ping; the
// cluster lets it join again under a new id.
//
// # What happens in a split
//
// There is no quorum and there are no leases. While the network is split each
// side takes the other one for lost and goes on alone, so that an identity
// may be active on both sides. When the split heals the view with the higher
// epoch wins, which is not always the larger side: the members of the other
// side are removed, stop their grains, and join again. For this the sides must
// find each other, by their list of hosts or by addresses that one remembers. A
// process that was removed asks the members of the view that removed it, too,
// when it joins again: the side that has won keeps its members and their grains.
// Its new view may have a lower epoch than it had seen in its former life.
// Only best-effort kinds run on this provider, therefore; where two activations
// must not be, use a provider with a store.
//
// # Security
//
// Whoever reaches the ping port can read the view and disturb the membership.
// Keep it inside, or authenticate both ends: with the TLS of the cluster
// (remote.WithTLS), which counts here, too, or with [Provider.WithCredentials]. A host
// of the list that is a name is looked up and dialled by its addresses: a certificate
// there holds for the name or the address. Who has a certificate of the cluster is
// trusted with what it says of others, and may become a member (docs/security.md). Connections
// and requests that say nothing are bounded as at the cluster's own port (remote.WithStrangerLimits).
//
// # Limits
//
// Every member pings every other one, so that the pings grow with the square of
// the members; the tests have fifty: all join at once within four seconds, a
// third that crashes is out within six, and a split that heals ends within
// twelve, at a refresh interval of a second.
//
// A view holds at most 256 members; further ones wait, and are told why. A
// member serves at most 1,024 clients with views; others are sent to the next
// member. Names, addresses, kinds and labels are limited to 512 bytes each, a
// member to 1,024 kinds and 64 labels, and all texts are valid UTF-8: Join
// refuses what breaks this.
package automanaged
