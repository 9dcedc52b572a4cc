package mongo

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/granary-go/granary/cluster/driver"
)

// document is one activation as it is kept. Its _id counts, and has the kind and
// the name with escapes; the fields of these are for people. Numbers are texts:
// BSON has none of 64 bits without a sign.
type document struct {
	ID       string `bson:"_id"`
	Kind     string `bson:"kind"`
	Name     string `bson:"name"`
	Released bool   `bson:"released"`
	Token    string `bson:"token"`
	Member   string `bson:"member"`
	Address  string `bson:"address"`
	Epoch    string `bson:"epoch"`
	Era      string `bson:"era"`
}

// The _id of the documents that are none of an activation; no kind begins so, as
// its exclamation mark is escaped.
const (
	recordPrefix = "!era/"
	markPrefix   = "!mark/"
	firstEntry   = "\"" // comes behind all of them, and before all others
)

// prefixOf is what the _id of all documents of an identity begins with.
func prefixOf(id driver.Identity) string {
	return escape(id.Kind) + "/" + escape(id.Name) + "/"
}

// escape leaves what people read most, and is never empty for what is not.
func escape(s string) string { return url.PathEscape(s) }

func idOf(id driver.Identity, token driver.Fence) string { return prefixOf(id) + token.String() }

// parseID is the reverse of idOf.
func parseID(s string) (id driver.Identity, token driver.Fence, err error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return id, token, errors.New("its _id is not kind/name/token")
	}
	if id.Kind, err = url.PathUnescape(parts[0]); err != nil {
		return id, token, err
	}
	if id.Name, err = url.PathUnescape(parts[1]); err != nil {
		return id, token, err
	}
	token, err = parseToken(parts[2])
	return id, token, err
}

func encode(e driver.Entry) document {
	return document{
		ID: idOf(e.Identity, e.Token), Kind: readable(e.Identity.Kind), Name: readable(e.Identity.Name), Token: e.Token.String(),
		Member: string(e.Member), Address: e.Address, Epoch: strconv.FormatUint(e.Epoch, 10), Era: eraText(e.Era),
	}
}

// readable is a text for people: what some servers do not take is replaced.
func readable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// entry reads what encode has written.
func (s *store) entry(d document) (e driver.Entry, err error) {
	if e.Identity, e.Token, err = parseID(d.ID); err == nil {
		e.Era, err = parseEra(d.Era)
	}
	if err == nil {
		e.Epoch, err = strconv.ParseUint(d.Epoch, 10, 64)
	}
	if err == nil && (e.Token.IsZero() || d.Member == "") {
		err = errors.New("it has no token or no member")
	}
	if err != nil {
		return driver.Entry{}, fmt.Errorf("mongo: %s: the document %.160q in %s is malformed; delete it once nobody calls the grain: %w",
			s.address, d.ID, s.docs.Name(), err)
	}
	e.Member, e.Address = driver.MemberID(d.Member), d.Address
	return e, nil
}

func parseToken(s string) (f driver.Fence, err error) {
	term, seq, _ := strings.Cut(s, ".")
	if f.Term, err = strconv.ParseUint(term, 16, 64); err == nil {
		f.Seq, err = strconv.ParseUint(seq, 16, 64)
	}
	return f, err
}

func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

// eraText names an era; it begins with the number at full width.
func eraText(e driver.EraID) string {
	if e == (driver.EraID{}) {
		return ""
	}
	return hex(e.Number) + "-" + e.Founder
}

func parseEra(s string) (e driver.EraID, err error) {
	if s == "" {
		return e, nil
	}
	number, founder, _ := strings.Cut(s, "-")
	e.Founder = founder
	e.Number, err = strconv.ParseUint(number, 16, 64)
	return e, err
}

// record is the era record as it is kept; each change of it is a document of its
// own, whose _id counts them.
type record struct {
	ID          string   `bson:"_id"`
	Era         string   `bson:"era"`
	Incarnation string   `bson:"incarnation"`
	Open        bool     `bson:"open"`
	Joined      []string `bson:"joined"`
}

func encodeRecord(n uint64, e driver.Era) record {
	r := record{ID: recordPrefix + hex(n), Era: eraText(e.EraID), Incarnation: e.Incarnation, Open: e.Open, Joined: []string{}}
	for _, m := range e.Joined {
		r.Joined = append(r.Joined, string(m))
	}
	return r
}

// decodeRecord gives the record and its number.
func (s *store) decodeRecord(r record) (e driver.Era, n uint64, err error) {
	if e.EraID, err = parseEra(r.Era); err == nil {
		n, err = strconv.ParseUint(strings.TrimPrefix(r.ID, recordPrefix), 16, 64)
	}
	if err != nil {
		return e, 0, fmt.Errorf("mongo: %s: the era record %q in %s is malformed; delete it, and the members begin a new era: %w",
			s.address, r.ID, s.docs.Name(), err)
	}
	e.Incarnation, e.Open = r.Incarnation, r.Open
	for _, m := range r.Joined {
		e.Joined = append(e.Joined, driver.MemberID(m))
	}
	return e, n, nil
}

// behind is the filter of the documents whose _id begins so, if it ends with a
// slash: the next character is a zero.
func behind(prefix string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: strings.TrimSuffix(prefix, "/") + "0"}}}}
}
