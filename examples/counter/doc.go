// Command counter counts in a grain whose state is in Redis, kills the member that counts, and goes on counting.
//
//	go run ./counter -etcd http://127.0.0.1:2379 -redis 127.0.0.1:6379
//
// It starts two members, which are this program, too. They find each other through etcd, whose leases tell for certain
// that a member is gone; what the grain has counted is kept by package redisstore.
package main
