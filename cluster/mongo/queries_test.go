package mongo

import (
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
)

// The queries of docs/guides/identity-lookups.md, as the driver sends what mongosh would, give what is said there: an array is
// a pipeline, a document a filter.
func TestQueriesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/guides/identity-lookups.md")
	if err != nil {
		t.Fatal(err)
	}
	server := mongotest.Start(t)
	s, err := New(server.Options()).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	era := driver.Era{EraID: driver.EraID{Number: 5, Founder: "m1-1"}, Incarnation: "views", Open: true}
	if err := s.WriteEra(t.Context(), driver.Era{}, era); err != nil {
		t.Fatal(err)
	}
	for id, member := range map[driver.Identity]driver.MemberID{{Kind: "Counter", Name: "alice"}: "m1", {Kind: "Counter", Name: "bob"}: "m1", {Kind: "Cart", Name: "alice"}: "m2"} {
		e, err := s.Claim(t.Context(), driver.Entry{Identity: id, Member: member, Address: "10.0.0.1:4000", Epoch: 1, Era: era.EraID}, driver.Fence{})
		if err != nil {
			t.Fatal(err)
		}
		if id.Kind == "Cart" {
			if err := s.Release(t.Context(), id, e.Token); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := server.Client(t).Database(DefaultDatabase).Collection("entries.shop")
	for query, want := range map[string]string{
		`{released: false}`: `[{"name":"alice"} {"name":"bob"}]`,
		`[{$match: {released: false}}, {$group: {_id: {member: "$member", kind: "$kind"}, n: {$sum: 1}}}]`: `[{"_id":{"member":"m1","kind":"Counter"},"n":{"$numberInt":"2"}}]`,
	} {
		if !strings.Contains(string(text), query) {
			t.Errorf("the documentation does not have %s", query)
		}
		var found []bson.D
		if strings.HasPrefix(query, "[") {
			cursor, err := c.Aggregate(t.Context(), bson.A{
				bson.D{{Key: "$match", Value: bson.D{{Key: "released", Value: false}}}},
				bson.D{{Key: "$group", Value: bson.D{
					{Key: "_id", Value: bson.D{{Key: "member", Value: "$member"}, {Key: "kind", Value: "$kind"}}}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
				}}},
			})
			if err == nil {
				err = cursor.All(t.Context(), &found)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else {
			var all []document
			if err := s.(*store).find(t.Context(), bson.D{{Key: "released", Value: false}}, 0, &all); err != nil {
				t.Fatal(err)
			}
			for _, d := range all {
				found = append(found, bson.D{{Key: "name", Value: d.Name}})
			}
		}
		if got := texts(found); got != want {
			t.Errorf("%s gives %s; want %s", query, got, want)
		}
	}
}

func texts(all []bson.D) string {
	var each []string
	for _, d := range all {
		each = append(each, d.String())
	}
	return "[" + strings.Join(each, " ") + "]"
}
