// Command client asks for the prices and the stock of some articles, again and again, until all of them are on members of
// version 2. It is of version 2 itself, and works with both. It fails if a call does.
//
//	go run ./upgrade/client
package main
