package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// value is an entry as it is kept: its identity is the name of the field. Numbers
// are texts, as many readers of JSON have no such large ones.
type value struct {
	Token   string          `json:"token"`
	Member  driver.MemberID `json:"member"`
	Address string          `json:"address"`
	Epoch   uint64          `json:"epoch,string"`
	Era     string          `json:"era"`
}

// encodeAround gives the text of an entry without its token, which the server may
// have to put in: what comes before and what comes behind.
func encodeAround(e driver.Entry) (before, behind string) {
	text, err := json.Marshal(value{Member: e.Member, Address: e.Address, Epoch: e.Epoch, Era: eraText(e.Era)})
	if err != nil {
		panic(fmt.Sprintf("redis: texts and numbers are always JSON: %v", err))
	}
	before = `{"token":"`
	return before, strings.TrimPrefix(string(text), before)
}

// entry reads what encodeAround has written.
func (s *store) entry(id driver.Identity, text string) (driver.Entry, error) {
	var v value
	err := json.Unmarshal([]byte(text), &v)
	var token driver.Fence
	if err == nil {
		token, err = parseToken(v.Token)
	}
	var era driver.EraID
	if err == nil {
		era, err = parseEra(v.Era)
	}
	if err == nil && (token.IsZero() || v.Member == "") {
		err = errors.New("it has no token or no member")
	}
	if err != nil {
		return driver.Entry{}, fmt.Errorf("redis: %s: the entry of %.80s in %s is malformed; delete that field once nobody calls the grain: %w",
			s.address, id, s.key(tagOf(id), "entries"), err)
	}
	return driver.Entry{Identity: id, Member: v.Member, Address: v.Address, Epoch: v.Epoch, Era: era, Token: token}, nil
}

// identity is the reverse of field.
func identity(field string) driver.Identity {
	kind, name, _ := strings.Cut(field, "/")
	return driver.Identity{Kind: kind, Name: name}
}

func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

// tokenText is empty for no token.
func tokenText(f driver.Fence) string {
	if f.IsZero() {
		return ""
	}
	return f.String()
}

func parseToken(s string) (f driver.Fence, err error) {
	term, seq, _ := strings.Cut(s, ".")
	if f.Term, err = strconv.ParseUint(term, 16, 64); err == nil {
		f.Seq, err = strconv.ParseUint(seq, 16, 64)
	}
	return f, err
}

// eraText names an era; it begins with the number at full width.
func eraText(e driver.EraID) string {
	if e == (driver.EraID{}) {
		return ""
	}
	return hex(e.Number) + "-" + e.Founder
}

func parseEra(s string) (e driver.EraID, err error) {
	number, founder, _ := strings.Cut(s, "-")
	e.Founder = founder
	e.Number, err = strconv.ParseUint(number, 16, 64)
	return e, err
}

// encodeEra gives the fields of the era record: all empty for none.
func encodeEra(e driver.Era) []any {
	joined := make([]string, len(e.Joined))
	for i, m := range e.Joined {
		joined[i] = string(m)
	}
	open := ""
	if e.Open {
		open = "open"
	}
	return []any{eraText(e.EraID), e.Incarnation, open, strings.Join(joined, " ")}
}

func decodeEra(fields map[string]string) (era driver.Era, err error) {
	if len(fields) == 0 {
		return era, nil
	}
	if era.EraID, err = parseEra(fields["era"]); err != nil {
		return era, err
	}
	era.Incarnation, era.Open = fields["incarnation"], fields["open"] == "open"
	for m := range strings.FieldsSeq(fields["joined"]) {
		era.Joined = append(era.Joined, driver.MemberID(m))
	}
	return era, nil
}
