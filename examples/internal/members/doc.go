// Package members runs members of a cluster as processes of their own, which are the same program as the one that starts
// them. It is what examples need that lose members on purpose; programs of yours are members by themselves, as
// pingpong/member is.
//
// The program starts itself again, with other arguments, and there calls [Serve]:
//
//	m, err := members.Start(ctx, "-member")
//	…
//	err = m.Kill()
package members
