package redis

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// FuzzEntry has anything stand in the store. What is taken for an entry is written as it was read.
func FuzzEntry(f *testing.F) {
	id := driver.Identity{Kind: "K", Name: "x"}
	before, behind := encodeAround(driver.Entry{Identity: id, Member: "m", Address: "m:1", Epoch: 7, Era: driver.EraID{Number: 3, Founder: "f"}})
	token := driver.Fence{Term: 1, Seq: 2}
	f.Add(before + token.String() + behind)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := &store{}
		e, err := s.entry(id, text)
		if err != nil || e.Era == (driver.EraID{}) { // every entry that is written has an era
			return
		}
		before, behind := encodeAround(e)
		again, err := s.entry(id, before+e.Token.String()+behind)
		if err != nil || again != e {
			t.Errorf("%+v came back as %+v: %v", e, again, err)
		}
	})
}
