// Package granary is the root of Granary, virtual actors and clustering for Go. It holds no code: programs import
// the rooms beneath it.
//
//   - [github.com/granary-go/granary/actor]: actors in one process.
//   - [github.com/granary-go/granary/remote]: messages between processes.
//   - [github.com/granary-go/granary/cluster]: grains, actors that exist when they are called, on whichever member
//     of the cluster.
//   - [github.com/granary-go/granary/cluster/automanaged]: members that find each other without an outside service.
//   - [github.com/granary-go/granary/cluster/driver]: what a backend for membership implements.
//
// README.md shows a first program; docs/ says how the house is built.
package granary
