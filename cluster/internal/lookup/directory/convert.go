package directory

import (
	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/cluster/internal/lookup/directorypb"
)

func wireToken(f driver.Fence) *pb.Token { return &pb.Token{Term: f.Term, Seq: f.Seq} }

// fence reads a token; zero if there is none.
func fence(t *pb.Token) driver.Fence { return driver.Fence{Term: t.GetTerm(), Seq: t.GetSeq()} }

func wireEntry(e driver.Entry) *pb.Entry {
	if e.IsZero() {
		return nil
	}
	return &pb.Entry{
		Member: string(e.Member), Address: e.Address, Epoch: e.Epoch,
		Era: e.Era.Number, Founder: e.Era.Founder, Token: wireToken(e.Token),
	}
}

// entry reads an entry of an identity; its zero value if there is none.
func entry(id driver.Identity, e *pb.Entry) driver.Entry {
	if e == nil {
		return driver.Entry{}
	}
	return driver.Entry{
		Identity: id, Member: driver.MemberID(e.Member), Address: e.Address, Epoch: e.Epoch,
		Era: driver.EraID{Number: e.Era, Founder: e.Founder}, Token: fence(e.Token),
	}
}
