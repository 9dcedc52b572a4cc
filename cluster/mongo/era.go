package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/granary-go/granary/cluster/driver"
)

// closeWait bounds how long connections are waited for that are to be closed.
const closeWait = 5 * time.Second

// records reads the era record, which is the last one, and those before it that
// are not deleted yet.
func (s *store) records(ctx context.Context) (era driver.Era, n uint64, all []record, err error) {
	if err = s.find(ctx, behind(recordPrefix), 0, &all); err != nil || len(all) == 0 {
		return era, 0, nil, err
	}
	era, n, err = s.decodeRecord(all[len(all)-1])
	return era, n, all, err
}

// ReadEra implements driver.EntryStore.
func (s *store) ReadEra(ctx context.Context) (driver.Era, error) {
	era, _, _, err := s.records(ctx)
	return era, err
}

// WriteEra implements driver.EntryStore. The record is inserted as the one that
// follows, as a claim is, and is judged by what is there afterwards.
func (s *store) WriteEra(ctx context.Context, since, next driver.Era) error {
	era, n, _, err := s.records(ctx)
	if err != nil {
		return err
	}
	if !sameEra(era, since) {
		return driver.ErrEra
	}
	r := encodeRecord(n+1, next)
	if _, err := s.docs.InsertOne(ctx, r); mongo.IsDuplicateKeyError(err) {
		return driver.ErrEra
	} else if err != nil {
		return s.explain(ctx, err)
	}
	_, last, all, err := s.records(ctx)
	if err != nil {
		return err
	}
	if last != n+1 {
		if last > n+1 {
			err = s.remove(ctx, r.ID) // it came too late
		}
		return orEra(err)
	}
	for _, old := range all[:len(all)-1] {
		if err := s.remove(ctx, old.ID); err != nil {
			return err
		}
	}
	if next.EraID == since.EraID {
		return nil
	}
	return s.stamp(ctx, next.EraID)
}

// orEra is the error of a call that failed, or was refused.
func orEra(err error) error {
	if err != nil {
		return err
	}
	return driver.ErrEra
}

// stamp writes the mark of an era, which the writes of entries look at. Unlike the
// record it is written when the era begins and never again: so a record that comes
// late, to a database that was emptied meanwhile, does not make it look whole.
func (s *store) stamp(ctx context.Context, era driver.EraID) error {
	id := markPrefix + eraText(era)
	if _, err := s.docs.InsertOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil && !mongo.IsDuplicateKeyError(err) {
		return s.explain(ctx, err)
	}
	var marks []document
	if err := s.find(ctx, behind(markPrefix), 0, &marks); err != nil {
		return err
	}
	for i, m := range marks {
		if i+1 < len(marks) {
			if err := s.remove(ctx, m.ID); err != nil {
				return err
			}
		}
	}
	return s.tidy(ctx, era)
}

// tidy deletes what is left of identities that were released in earlier eras: no
// number of those is given out any more.
func (s *store) tidy(ctx context.Context, era driver.EraID) error {
	_, err := s.docs.DeleteMany(ctx, bson.D{{Key: "released", Value: true}, {Key: "token", Value: bson.D{{Key: "$lt", Value: hex(era.Number)}}}})
	if err != nil {
		return s.explain(ctx, err)
	}
	_, err = s.docs.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "member", Value: 1}}}) // for Remove
	return s.explain(ctx, err)
}

func sameEra(a, b driver.Era) bool {
	return a.EraID == b.EraID && a.Incarnation == b.Incarnation && a.Open == b.Open && slices.Equal(a.Joined, b.Joined)
}
