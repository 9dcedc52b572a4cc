// Package demo is a cluster that one can watch: members as processes of their
// own, a client that calls their grains, a member that is killed and one that
// is added, and a verdict on whether what was shown was true.
//
//   - Options: what can be chosen.
//   - Run: the parent. It starts the members (process), calls their grains
//     (load), goes through the story (story), prints what it sees (report),
//     and judges it (verdict).
//   - ledger: what the client knows of each grain. All that is claimed about
//     grains is decided there, without a clock or a network.
//   - Member: a member process. It hosts counters (counter) and ends when its
//     parent says so or is gone.
package demo
