// Command twoclusters is a shop and its warehouse: two clusters in one process, each with members and kinds of its own.
// The grains of the shop call those of the warehouse through a client.
//
//	go run ./twoclusters
package main
