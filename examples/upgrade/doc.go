// Package upgrade is a rolling upgrade: members of version 1 of a service are replaced by members of version 2, one by one,
// while a client calls them. The programs are in v1, v2 and client.
package upgrade
