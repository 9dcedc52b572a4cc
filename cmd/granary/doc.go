// Command granary is the tool of a Granary cluster. So far it has three verbs:
//
//	granary demo      # a cluster of processes on this machine that loses a member while it is called
//	granary explain   # where a grain of a running cluster is, and why
//	granary version   # which granary this is
//
// Each verb explains itself with --help. The exit status is 0 when all went
// well, 1 when something failed, and 2 when the command line made no sense.
package main
