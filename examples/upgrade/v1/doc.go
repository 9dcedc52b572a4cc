// Command v1 is a member with version 1 of the service Article.
//
//	go run ./upgrade/v1
//	go run ./upgrade/v1 -membership-port 6362
//
// On Ctrl-C or SIGTERM it takes its leave, and no call fails.
package main
