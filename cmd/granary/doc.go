// Command granary is the tool of a Granary cluster. It talks to any member that serves the
// admin service (cluster/admin), which answers for all:
//
//	granary members           # who is in the cluster, and how they are
//	granary kinds             # the kinds of grains, and how many are active
//	granary grains [KIND]     # the grains that are active, a page at a time, or the busiest
//	granary slots             # who owns the slots that identities are spread over
//	granary locate KIND/ID    # where a grain is
//	granary explain KIND/ID   # and why
//	granary watch             # what happens, as it happens
//	granary dashboard         # the same, live in a browser
//	granary audit             # whether owners and hosts agree about where grains are
//	granary call KIND/ID METHOD JSON
//	granary drain MEMBER      # let it take nothing new
//	granary leave MEMBER      # let it shut down gracefully
//	granary demo              # a cluster of processes on this machine that loses a member while it is called
//	granary version
//
// Each verb explains itself with --help and prints JSON with --json, but for the dashboard and the demo, which are for people.
// 'granary help connecting' says how it reaches a cluster, 'granary help exit-status' what its
// exit status says, and docs/guides/operating.md when to use what.
package main
