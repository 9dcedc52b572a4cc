// Package wire tests what remoting promises, with real processes whose connections go through a proxy of the test: two
// that send to each other while the connection is cut and restored again and again, and one whose peer reads no more.
//
// There is nothing in it but tests. The processes are the test's own program, started again (member_test.go).
//
//	go test -v ./wire
//	go test -v ./wire -run Cut -args -wire.messages=10000000 -wire.cuts=50
package wire
