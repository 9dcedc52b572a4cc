// Package examples is the module of the example programs; it holds no code
// itself. Each folder is one example:
//
//   - pingpong: a grain that answers pings, a member that hosts it, and a
//     client that calls it.
//   - ledger: accounts whose balances survive faults, and the tests that show it.
//   - provider: a membership provider for a service that is made up, and that
//     service: the worked example of docs/adding-a-provider.md.
package examples
