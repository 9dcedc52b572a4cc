package mongo

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// FuzzID has anything be the _id of a document. What is taken is the id of one place.
func FuzzID(f *testing.F) {
	f.Add(idOf(driver.Identity{Kind: "K", Name: "x/y z"}, driver.Fence{Term: 1, Seq: 2}))
	f.Add("//")
	f.Fuzz(func(t *testing.T, text string) {
		id, token, err := parseID(text)
		if err != nil {
			return
		}
		again, other, err := parseID(idOf(id, token))
		if err != nil || again != id || other != token {
			t.Errorf("%q %v came back as %q %v: %v", id, token, again, other, err)
		}
	})
}
