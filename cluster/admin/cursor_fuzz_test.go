package admin

import (
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// FuzzCursor has somebody ask for a page behind anything. What is taken names a place.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(cursorOut(&pb.Grain{Kind: "K", Identity: "x", Member: &pb.MemberRef{Id: "m"}}))
	f.Add("====")
	f.Fuzz(func(t *testing.T, cursor string) {
		g, err := cursorIn(cursor)
		if err != nil || g.GetKind()+g.GetIdentity()+g.GetMember().GetId() == "" {
			return
		}
		again, err := cursorIn(cursorOut(g))
		if err != nil || !proto.Equal(again, g) {
			t.Errorf("%v came back as %v: %v", g, again, err)
		}
	})
}
