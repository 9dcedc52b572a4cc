// Command chat is a member of a cluster of chat rooms, and a web page for those who are in them.
//
//	go run ./chat -web 127.0.0.1:8081 -membership-port 6351
//	go run ./chat -web 127.0.0.1:8082 -membership-port 6352
//
// Each room is a grain, on one of the members; each browser is connected to any of them, and has an actor there, to which
// the room sends what is said.
package main
