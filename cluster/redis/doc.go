// Package redis keeps in Redis where the grains of a cluster are active.
//
//	lookup := redis.New(&goredis.UniversalOptions{Addrs: []string{"10.0.0.1:6379"}})
//	config := cluster.Configure("shop", provider, remote.Configure("10.0.0.7", 0), cluster.WithIdentityLookup(lookup), kinds...)
//
// (goredis is github.com/redis/go-redis/v9.) All members and clients of the cluster are given the same one. It goes with
// every membership provider. A single server, one behind Sentinel, and a Redis Cluster serve; the options say which.
//
// # What is stored
//
//	granary:{shop:3f2}:entries   a hash: kind/identity → where it is active, as JSON
//	granary:{shop:3f2}:counter   the last token that was given out
//	granary:{shop:3f2}:mark      the era, and the server process that it was written on
//	granary:{shop:era}:era       the era record, a hash
//
// There are 1,024 of the first three, 000 to 3ff: an identity's is chosen by its hash, so that a Redis Cluster spreads them.
// All that one script touches lies under one tag. What lives where:
//
//	for t in $(seq 0 1023); do redis-cli hgetall "granary:{shop:$(printf %03x $t)}:entries"; done
//
// Who uses access control gives the user the keys granary:{shop:* and the commands hget, hset, hgetall, hmget, hdel, get, set, incr,
// del, info, eval, evalsha and, for a Redis Cluster, cluster.
//
// # What Redis may lose
//
// Redis acknowledges a write before its replicas have it, and before it is on disk. So this package trusts no server process with
// what another has written: the mark of the era names the process (its run_id), and after a restart or a failover the claims are
// refused until all members have written back what they host into a new era. That takes a moment, costs one write for each active
// grain, and loses nothing, whatever the failover has lost. A server that was emptied is noticed in the same way, by its
// missing mark, with the next claim.
//
// Two masters at once, while a failover goes on, do no harm: the new one takes no claim before every member of the
// view has joined the new era there, and a member that has joined it claims nothing in the old one. Tokens rise over all of that,
// since their first half is the number of the era.
//
// # Failures
//
// While Redis is out of reach cached calls go on; others wait within their deadlines, and their errors name the address and the cause.
// Operations are not tried again by this package, and its clients are made so (MaxRetries −1); a client of the caller's own
// should be, too.
package redis
