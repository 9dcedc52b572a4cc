package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/record"
)

// Limits on what is in the store. A member that breaks one cannot join, and a
// record that breaks one is not acted on.
const (
	// MaxRecord is the size of the view record in bytes. Newcomers who do not
	// fit in are held.
	MaxRecord = 1 << 20
	// MaxMember is the size of a member's description in bytes.
	MaxMember = 64 << 10
	// MaxMembers is how many members a view holds. Further newcomers are held.
	MaxMembers = record.MaxMembers
	// MaxKinds is how many kinds a member may host.
	MaxKinds = 1024
	// MaxLabels is how many labels a member may carry.
	MaxLabels = 64
	// MaxText is the length in bytes of an id, an address, a cluster's name, a
	// strategy, a label's key or value. All of them are valid UTF-8.
	MaxText = 512
)

// room is what members may take of a record; the rest is for its head and the
// ids of those who have just left.
const room = MaxRecord - 256<<10

// format is the version of the JSON. A reader refuses any other.
const format = 1

type recordJSON struct {
	Format      int               `json:"format"`
	Incarnation string            `json:"incarnation"`
	Epoch       uint64            `json:"epoch"`
	Previous    uint64            `json:"previous"`
	Gone        []driver.MemberID `json:"gone,omitempty"`
	Members     []memberJSON      `json:"members"`
}

type memberJSON struct {
	Format    int               `json:"format,omitempty"` // in a liveness key
	ID        driver.MemberID   `json:"id"`
	Address   string            `json:"address"`
	State     string            `json:"state"`
	Kinds     []kindJSON        `json:"kinds,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Protocols [2]uint32         `json:"protocols"`
	Lease     float64           `json:"lease,omitempty"` // in seconds; in a liveness key
	Seen      uint64            `json:"seen,omitempty"`  // in a liveness key
}

type kindJSON struct {
	Name      string `json:"name"`
	Guarantee string `json:"guarantee"`
	Strategy  string `json:"strategy,omitempty"`
}

// encodeRecord gives a record as it is stored, a line for each member.
func encodeRecord(r record.Record) ([]byte, error) {
	head, err := json.Marshal(recordJSON{
		Format: format, Incarnation: r.View.Incarnation, Epoch: r.View.Epoch, Previous: r.View.Previous, Gone: r.Gone, Members: []memberJSON{},
	})
	if err != nil {
		return nil, err
	}
	data := bytes.TrimSuffix(head, []byte("]}"))
	for i, m := range r.View.Members {
		line, err := json.Marshal(toJSON(m))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			data = append(data, ',')
		}
		data = append(append(data, '\n'), line...)
	}
	if data = append(data, "\n]}\n"...); len(data) > MaxRecord {
		return nil, fmt.Errorf("record: a view of %d members takes %d bytes; at most %d are allowed", len(r.View.Members), len(data), MaxRecord)
	}
	return data, nil
}

// decodeRecord reads what is stored, and checks all of it.
func decodeRecord(data []byte) (record.Record, error) {
	if len(data) > MaxRecord {
		return record.Record{}, fmt.Errorf("record: the view record has %d bytes; at most %d are allowed", len(data), MaxRecord)
	}
	var j recordJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return record.Record{}, fmt.Errorf("record: the view record is not what this version writes: %w", err)
	}
	if j.Format != format {
		return record.Record{}, fmt.Errorf("record: the view record has format %d; this version reads %d", j.Format, format)
	}
	if err := errors.Join(checkText("incarnation", j.Incarnation), checkSizes(len(j.Members), len(j.Gone))); err != nil {
		return record.Record{}, err
	}
	r := record.Record{View: driver.View{Incarnation: j.Incarnation, Epoch: j.Epoch, Previous: j.Previous}, Gone: j.Gone}
	for _, id := range j.Gone {
		if err := checkText("id", string(id)); err != nil {
			return record.Record{}, err
		}
	}
	for _, line := range j.Members {
		m, err := line.member()
		if err != nil {
			return record.Record{}, err
		}
		r.View.Members = append(r.View.Members, m)
	}
	return r, r.View.Validate()
}

func checkSizes(members, gone int) error {
	if members > MaxMembers || gone > maxGone {
		return fmt.Errorf("record: the view record has %d members and %d that are gone; at most %d and %d are allowed", members, gone, MaxMembers, maxGone)
	}
	return nil
}

// maxGone is how many ids are listed as gone; the newest are kept.
const maxGone = MaxMembers

// encodeMember gives the description in a member's liveness key.
func encodeMember(m driver.Member, about record.About) ([]byte, error) {
	if err := validate(m); err != nil {
		return nil, err
	}
	j := toJSON(m)
	j.Format, j.Lease, j.Seen = format, time.Duration(about.TTL).Seconds(), about.Seen
	data, err := json.Marshal(j)
	if err == nil && len(data) > MaxMember {
		err = fmt.Errorf("record: the description of member %s takes %d bytes; at most %d are allowed: register fewer kinds or labels", m.ID, len(data), MaxMember)
	}
	return data, err
}

// decodeMember reads the description in the liveness key of a member.
func decodeMember(id driver.MemberID, data []byte) (driver.Member, record.About, error) {
	fail := func(format string, args ...any) (driver.Member, record.About, error) {
		return driver.Member{}, record.About{}, fmt.Errorf("record: the description of member %.100q "+format, append([]any{id}, args...)...)
	}
	if len(data) > MaxMember {
		return fail("has %d bytes; at most %d are allowed", len(data), MaxMember)
	}
	var j memberJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fail("is not what this version writes: %w", err)
	}
	switch {
	case j.Format != format:
		return fail("has format %d; this version reads %d", j.Format, format)
	case j.ID != id:
		return fail("is that of %.100q", j.ID)
	case j.Lease < 0 || j.Lease > MaxTTL.Seconds():
		return fail("has a lease time of %g s; at most %v are allowed", j.Lease, MaxTTL)
	}
	m, err := j.member()
	return m, record.About{TTL: record.Time(math.Round(j.Lease * 1e9)), Seen: j.Seen}, err
}

// weigh gives the bytes that a member takes of a record.
func weigh(m driver.Member) int {
	line, err := json.Marshal(toJSON(m))
	if err != nil {
		return MaxRecord
	}
	return len(line) + len(",\n")
}

func toJSON(m driver.Member) memberJSON {
	j := memberJSON{ID: m.ID, Address: m.Address, State: m.State.String(), Labels: m.Labels, Protocols: [2]uint32{m.Versions.Min, m.Versions.Max}}
	for _, k := range m.Kinds {
		j.Kinds = append(j.Kinds, kindJSON{Name: k.Name, Guarantee: k.Guarantee.String(), Strategy: k.Strategy})
	}
	return j
}

func (j memberJSON) member() (driver.Member, error) {
	m := driver.Member{ID: j.ID, Address: j.Address, Labels: j.Labels, Versions: driver.Versions{Min: j.Protocols[0], Max: j.Protocols[1]}}
	var found bool
	if m.State, found = named(j.State, driver.Active, driver.Leaving); !found {
		return driver.Member{}, fmt.Errorf("record: member %.100q has the unknown state %.100q", j.ID, j.State)
	}
	for _, k := range j.Kinds {
		g, found := named(k.Guarantee, driver.BestEffort, driver.Leased, driver.Strict)
		if !found {
			return driver.Member{}, fmt.Errorf("record: kind %.100q of member %.100q has the unknown guarantee %.100q", k.Name, j.ID, k.Guarantee)
		}
		m.Kinds = append(m.Kinds, driver.Kind{Name: k.Name, Guarantee: g, Strategy: k.Strategy})
	}
	if err := validate(m); err != nil {
		return driver.Member{}, err
	}
	return m, nil
}

// named finds a value by the name that it is written with.
func named[T fmt.Stringer](name string, values ...T) (value T, found bool) {
	i := slices.IndexFunc(values, func(v T) bool { return v.String() == name })
	if i < 0 {
		return value, false
	}
	return values[i], true
}

// validate reports what makes a member unusable.
func validate(m driver.Member) error {
	if err := errors.Join(checkText("id", string(m.ID)), checkAddress(m.Address)); err != nil {
		return err
	}
	switch {
	case len(m.Kinds) > MaxKinds:
		return fmt.Errorf("record: member %s has %d kinds; at most %d are allowed", m.ID, len(m.Kinds), MaxKinds)
	case len(m.Labels) > MaxLabels:
		return fmt.Errorf("record: member %s has %d labels; at most %d are allowed", m.ID, len(m.Labels), MaxLabels)
	case m.Versions.Min > m.Versions.Max:
		return fmt.Errorf("record: member %s speaks protocol versions %d to %d", m.ID, m.Versions.Min, m.Versions.Max)
	}
	for i, k := range m.Kinds {
		if err := errors.Join(checkText("kind", k.Name), checkOptional("strategy", k.Strategy)); err != nil {
			return err
		}
		if i > 0 && m.Kinds[i-1].Name >= k.Name {
			return fmt.Errorf("record: kinds of member %s are not sorted, or doubled, at %q", m.ID, k.Name)
		}
	}
	for key, value := range m.Labels {
		if err := errors.Join(checkText("label", key), checkOptional("label "+strconv.Quote(key), value)); err != nil {
			return err
		}
	}
	return nil
}

func checkText(what, s string) error {
	if s == "" {
		return fmt.Errorf("record: %s is empty", what)
	}
	return checkOptional(what, s)
}

func checkOptional(what, s string) error {
	if len(s) > MaxText || !utf8.ValidString(s) {
		return fmt.Errorf("record: %s %.100q must be valid UTF-8 of at most %d bytes", what, s, MaxText)
	}
	return nil
}

// checkAddress checks the form host:port, with a port that can be dialled.
func checkAddress(s string) error {
	if err := checkText("address", s); err != nil {
		return err
	}
	i := strings.LastIndexByte(s, ':')
	if port, err := strconv.ParseUint(s[i+1:], 10, 16); i <= 0 || err != nil || port == 0 {
		return fmt.Errorf("record: address %q is not host:port with a port from 1 to 65535", s)
	}
	return nil
}

// alive decodes the liveness keys, sorted by id. Whoever cannot be read has
// an id and nothing else; why says so for one of them.
func alive(keys map[driver.MemberID][]byte) (members []driver.Member, about map[driver.MemberID]record.About, why error) {
	about = make(map[driver.MemberID]record.About, len(keys))
	for id, data := range keys {
		m, a, err := decodeMember(id, data)
		if err != nil {
			m, why = driver.Member{ID: id}, err
		} else {
			about[id] = a
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b driver.Member) int { return cmp.Compare(a.ID, b.ID) })
	return members, about, why
}
