// Package adminpb holds the admin service, by which people and tools look at a running cluster, and what the members ask
// each other to answer it. Package cluster/admin serves it, and the command granary speaks it. See admin.proto.
package adminpb
