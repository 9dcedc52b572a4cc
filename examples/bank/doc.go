// Command bank transfers money between two grains, and loses the member that does so between the two steps: the transfer
// is finished by another member, and no cent is lost or doubled.
//
//	go run ./bank -etcd http://127.0.0.1:2379
//
// It starts two members, which are this program, too. Accounts and transfers are strict kinds, whose state is in etcd.
package main
