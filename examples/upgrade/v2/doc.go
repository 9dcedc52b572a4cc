// Command v2 is a member with version 2 of the service Article, which has a currency in its prices and a new rpc.
//
//	go run ./upgrade/v2 -membership-port 6363
//	go run ./upgrade/v2 -membership-port 6364
//
// On Ctrl-C or SIGTERM it takes its leave, and no call fails.
package main
