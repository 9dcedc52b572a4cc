// Command cart is a shopping cart as a grain: it is saved when it rests and restored when it is called, adds a thing once
// though it is told twice, and gives up a payment that nobody waits for any more.
//
//	go run ./cart
//
// It is a whole cluster of one member, which calls its own grains, and keeps the carts as files in a folder.
package main
