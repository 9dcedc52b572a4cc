// Command client pings one grain of the kind Ponger, and prints each answer,
// until Ctrl-C or SIGTERM.
//
//	go run ./pingpong/client
//	go run ./pingpong/client -grain ponger-2 -every 100ms -pings 50
//
// It is no member: it hosts no grains and is in nobody's list. It may be
// started before the members, and they may come and go while it runs.
package main
