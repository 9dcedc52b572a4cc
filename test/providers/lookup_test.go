package providers

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/mongo"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
	"github.com/granary-go/granary/cluster/redis"
	"github.com/granary-go/granary/cluster/redis/redistest"
)

// keptGrains are few, as MongoDB's stand-in reads all documents for each claim.
const keptGrains = 20

// where is a database that keeps where grains are active.
type where struct {
	System  string `json:"system"` // redis or mongo
	Address string `json:"address"`
}

func (w *where) stores() driver.EntryStores {
	if w.System == "mongo" {
		return mongo.New(options.Client().ApplyURI("mongodb://" + w.Address))
	}
	return redis.New(&goredis.UniversalOptions{Addrs: []string{w.Address}})
}

// option is nil, which changes nothing, without a database.
func (w *where) option() cluster.Option {
	if w == nil {
		return nil
	}
	return cluster.WithIdentityLookup(w.stores())
}

// lookups are the databases, each with its server.
var lookups = map[string]func(*testing.T) *where{
	"redis": func(t *testing.T) *where { return &where{"redis", redistest.Start(t).Address} },
	"mongo": func(t *testing.T) *where { return &where{"mongo", mongotest.Start(t).Address} },
}

// TestLookups runs the scenario with each database on two providers: which one keeps the grains has nothing to do with
// which one knows the members. No call fails but while a member is killed, and when all have left nothing is left.
func TestLookups(t *testing.T) {
	for name, start := range lookups {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // what it does most is wait
			for _, b := range backends[:2] {
				t.Run("on "+b.name, func(t *testing.T) { keepIn(t, start(t), b) })
			}
		})
	}
}

func keepIn(t *testing.T, w *where, b backend) {
	s := b.start(t)
	s.stop = nil // the outage is another test's
	for _, m := range run(t, b, s, 0, func(c *crew) { c.lookup, c.grains = w, keptGrains }) {
		if m.Calls == 0 || m.Step != steps[0].name && m.Failed > 0 {
			t.Errorf("%s: %d of %d calls failed", m.Step, m.Failed, m.Calls)
		}
	}
	store, err := w.stores().OpenEntries(t.Context(), clusterName)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if left, _, err := store.List(t.Context(), "", 10*grains); err != nil || len(left) > 0 {
		t.Errorf("%d entries are left after all members have left, %v: %v", len(left), err, left)
	}
}
