// Package redisstore keeps the values of strict grains in Redis: a [driver.FencedStore] in a hundred lines, to show how
// one is written. It passes the tests of package cluster/drivertest, which are the contract.
//
//	store := redisstore.New(client, "shop:state")
//	kind := carts.NewCartKind(newCart, cluster.WithStrict(store))
//
// # What is stored
//
// Each identity has one hash, at prefix:kind/name:
//
//	$ redis-cli hgetall counter:Counter/visits
//	token   0000019ab2c3d4e5.0000000000000007   of the newest activation that has opened the value
//	version 12                                  how often the hash was written
//	value   6                                   what the grain has saved; not there if it has saved nothing
//
// Every Open and Write reads the hash, and then runs a script that writes it if its version is still the same. Comparing
// tokens alone would not do: a write that was given up, and is still on its way in some buffer, must not come through
// after a later one has succeeded, though both have the same token. It comes with an old version.
//
// # What Redis must promise
//
// That it keeps what it has acknowledged: a store that forgets the newest token takes the writes of an older activation. So
// the server is run with
//
//	appendonly yes
//	appendfsync always
//
// and not failed over to a replica, which may lack the last writes. Where that is asked too much, a store with consensus
// serves strict grains better: package cluster/etcd has one.
package redisstore
