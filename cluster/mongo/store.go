package mongo

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/granary-go/granary/cluster/driver"
)

// restoreBatch bounds the documents that Restore asks for at once.
const restoreBatch = 50

// store is a [driver.EntryStore] on MongoDB, for one process.
type store struct {
	client  *mongo.Client
	owned   bool   // Close disconnects the client
	address string // for errors
	docs    *mongo.Collection
}

var _ driver.EntryStore = (*store)(nil)

// state is what one read gives: the era by its mark, and of some identities the
// documents, the highest of each last.
type state struct {
	mark string
	docs map[driver.Identity][]document
}

// highest gives the document with the highest token; its zero value if there is none.
func (st state) highest(id driver.Identity) document {
	if all := st.docs[id]; len(all) > 0 {
		return all[len(all)-1]
	}
	return document{}
}

// in reports whether the mark is that of an era. Before the first era nothing is.
func (st state) in(era driver.EraID) bool { return era.Number > 0 && st.mark == eraText(era) }

// look reads the mark and the documents of identities.
func (s *store) look(ctx context.Context, ids ...driver.Identity) (state, error) {
	either := bson.A{behind(markPrefix)}
	for _, id := range ids {
		either = append(either, behind(prefixOf(id)))
	}
	var found []document
	st := state{docs: make(map[driver.Identity][]document)}
	if err := s.find(ctx, bson.D{{Key: "$or", Value: either}}, 0, &found); err != nil {
		return st, err
	}
	for _, d := range found {
		if mark, is := strings.CutPrefix(d.ID, markPrefix); is {
			st.mark = mark // the last one is the highest
			continue
		}
		id, _, err := parseID(d.ID)
		if err != nil {
			_, err = s.entry(d)
			return st, err
		}
		st.docs[id] = append(st.docs[id], d)
	}
	return st, nil
}

// find reads documents, in the order of their _id.
func (s *store) find(ctx context.Context, filter bson.D, limit int64, into any) error {
	opts := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}})
	if limit > 0 {
		opts.SetLimit(limit)
	}
	cursor, err := s.docs.Find(ctx, filter, opts)
	if err == nil {
		err = cursor.All(ctx, into)
	}
	return s.explain(ctx, err)
}

// Read implements driver.EntryStore.
func (s *store) Read(ctx context.Context, id driver.Identity) (driver.Entry, error) {
	var found []document
	if err := s.find(ctx, behind(prefixOf(id)), 0, &found); err != nil || len(found) == 0 {
		return driver.Entry{}, err
	}
	return s.live(found[len(found)-1])
}

// live gives the entry that a highest document stands for, if any.
func (s *store) live(d document) (driver.Entry, error) {
	if d.ID == "" || d.Released {
		return driver.Entry{}, nil
	}
	return s.entry(d)
}

// Claim implements driver.EntryStore. It tries again only after another claim
// has succeeded and its entry is released already.
func (s *store) Claim(ctx context.Context, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	for {
		before, err := s.look(ctx, e.Identity)
		if err != nil {
			return driver.Entry{}, err
		}
		if !before.in(e.Era) {
			return driver.Entry{}, driver.ErrEra
		}
		last := before.highest(e.Identity)
		there, err := s.live(last)
		if err != nil {
			return driver.Entry{}, err
		}
		if !there.IsZero() && there.Token != over {
			return there, driver.ErrClaimed
		}
		e.Token = driver.Fence{Term: e.Era.Number, Seq: 1}
		if last.ID != "" {
			_, token, err := parseID(last.ID)
			if err != nil {
				return driver.Entry{}, err
			}
			if token.Term == e.Era.Number {
				e.Token.Seq = token.Seq + 1
			}
		}
		if _, err := s.docs.InsertOne(ctx, encode(e)); mongo.IsDuplicateKeyError(err) {
			continue // somebody was faster
		} else if err != nil {
			return driver.Entry{}, s.explain(ctx, err)
		}
		if won, err := s.confirm(ctx, e); won || err != nil {
			return e, err
		}
	}
}

// confirm reports whether what was inserted is the entry: the era may be another by
// now, or the number of its token may have been one below the highest, whose document
// was gone. Then it is taken back.
func (s *store) confirm(ctx context.Context, e driver.Entry) (won bool, err error) {
	after, err := s.look(ctx, e.Identity)
	if err != nil {
		return false, err
	}
	id := idOf(e.Identity, e.Token)
	if !after.in(e.Era) {
		if err := s.Release(ctx, e.Identity, e.Token); err != nil {
			return false, err
		}
		return false, driver.ErrEra
	}
	if after.highest(e.Identity).ID != id {
		return false, s.remove(ctx, id)
	}
	var older []string
	for _, d := range after.docs[e.Identity] {
		if d.ID != id {
			older = append(older, d.ID)
		}
	}
	if err := s.remove(ctx, older...); err != nil && ctx.Err() != nil {
		return false, err // else the next claim removes them
	}
	return true, nil
}

// remove deletes documents that are not the highest of their identity.
func (s *store) remove(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if _, err := s.docs.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
			return s.explain(ctx, err)
		}
	}
	return nil
}

var setReleased = bson.D{{Key: "$set", Value: bson.D{{Key: "released", Value: true}}}}

// Release implements driver.EntryStore.
func (s *store) Release(ctx context.Context, id driver.Identity, token driver.Fence) error {
	_, err := s.docs.UpdateOne(ctx, bson.D{{Key: "_id", Value: idOf(id, token)}}, setReleased)
	return s.explain(ctx, err)
}

// Restore implements driver.EntryStore.
func (s *store) Restore(ctx context.Context, entries []driver.Entry) (kept []driver.Entry, err error) {
	for len(entries) > 0 {
		n := min(len(entries), restoreBatch)
		some, err := s.restore(ctx, entries[:n])
		if kept = append(kept, some...); err != nil {
			return kept, err
		}
		entries = entries[n:]
	}
	return kept, nil
}

// restore writes first and looks then, so that no era can begin between.
func (s *store) restore(ctx context.Context, entries []driver.Entry) (kept []driver.Entry, err error) {
	before, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if !before.in(entries[0].Era) {
		return nil, driver.ErrEra
	}
	writes := make([]mongo.WriteModel, len(entries))
	ids := make([]driver.Identity, len(entries))
	for i, e := range entries {
		d := encode(e)
		fields := bson.D{
			{Key: "kind", Value: d.Kind}, {Key: "name", Value: d.Name}, {Key: "released", Value: false}, {Key: "token", Value: d.Token},
			{Key: "member", Value: d.Member}, {Key: "address", Value: d.Address}, {Key: "epoch", Value: d.Epoch}, {Key: "era", Value: d.Era},
		}
		ids[i] = e.Identity
		writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: d.ID}}).
			SetUpdate(bson.D{{Key: "$set", Value: fields}}).SetUpsert(true)
	}
	if _, err := s.docs.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return nil, s.explain(ctx, err)
	}
	after, err := s.look(ctx, ids...)
	if err != nil {
		return nil, err
	}
	if !after.in(entries[0].Era) {
		return nil, driver.ErrEra
	}
	for _, e := range entries {
		if d := after.highest(e.Identity); d.ID != idOf(e.Identity, e.Token) {
			higher, err := s.entry(d) // also one that is released: ours is older
			if err != nil {
				return kept, err
			}
			kept = append(kept, higher)
		}
	}
	return kept, nil
}

// Remove implements driver.EntryStore.
func (s *store) Remove(ctx context.Context, m driver.MemberID) error {
	_, err := s.docs.UpdateMany(ctx, bson.D{{Key: "member", Value: string(m)}, {Key: "released", Value: false}}, setReleased)
	return s.explain(ctx, err)
}

// List implements driver.EntryStore. A cursor is the _id of the document that comes
// next.
func (s *store) List(ctx context.Context, cursor string, limit int) (entries []driver.Entry, next string, err error) {
	if cursor == "" {
		cursor = firstEntry
	} else if _, _, err := parseID(cursor); err != nil {
		return nil, "", fmt.Errorf("mongo: the cursor %.80q is none that List gave", cursor)
	}
	var found []document
	if err := s.find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: cursor}}}}, int64(limit)+1, &found); err != nil {
		return nil, "", err
	}
	for i, d := range found {
		last := i+1 == len(found)
		if last && len(found) > limit {
			return entries, d.ID, nil
		}
		if !last && sameIdentity(d.ID, found[i+1].ID) {
			continue // a higher one follows
		}
		e, err := s.live(d)
		if err != nil {
			return nil, "", err
		}
		if !e.IsZero() {
			entries = append(entries, e)
		}
	}
	return entries, "", nil
}

func sameIdentity(a, b string) bool {
	return a[:strings.LastIndexByte(a, '/')+1] == b[:strings.LastIndexByte(b, '/')+1]
}

// Close implements driver.EntryStore.
func (s *store) Close() error {
	if !s.owned {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	return s.explain(ctx, s.client.Disconnect(ctx))
}
