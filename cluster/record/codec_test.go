package record

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/record"
)

func sample() record.Record {
	return record.Record{
		View: driver.View{Incarnation: "X", Epoch: 1<<62 - 1, Previous: 7, Members: []driver.Member{
			{
				ID: "a", Address: "host:1", Labels: map[string]string{"zone": "<north>"}, Versions: driver.Versions{Min: 1, Max: 2},
				Kinds: []driver.Kind{{Name: "Best"}, {Name: "Ping", Guarantee: driver.Leased}, {Name: "Pong", Guarantee: driver.Strict, Strategy: "local"}},
			},
			{ID: "b", Address: "[::1]:2", State: driver.Leaving},
		}},
		Gone: []driver.MemberID{"c", "d"},
	}
}

func TestRecordIsReadAsWritten(t *testing.T) {
	for _, r := range []record.Record{sample(), {View: driver.View{Incarnation: "X", Epoch: 1}}} {
		data, err := encodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord(data)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s\nis read as %+v, %v", data, got, err)
		}
	}
}

// TestRecordIsForPeople holds the format, which older and newer processes read.
func TestRecordIsForPeople(t *testing.T) {
	const want = `{"format":1,"incarnation":"X","epoch":4611686018427387903,"previous":7,"gone":["c","d"],"members":[
{"id":"a","address":"host:1","state":"active","kinds":[{"name":"Best","guarantee":"best effort"},{"name":"Ping","guarantee":"lease"},{"name":"Pong","guarantee":"strict","strategy":"local"}],"labels":{"zone":"\u003cnorth\u003e"},"protocols":[1,2]},
{"id":"b","address":"[::1]:2","state":"leaving","protocols":[0,0]}
]}
`
	if data, err := encodeRecord(sample()); string(data) != want || err != nil {
		t.Errorf("%s, %v\nwant %s", data, err, want)
	}
}

func TestMemberIsReadAsWritten(t *testing.T) {
	m := sample().View.Members[0]
	about := record.About{TTL: 1500e6, Seen: 1<<62 - 1}
	data, err := encodeMember(m, about)
	if err != nil {
		t.Fatal(err)
	}
	if got, a, err := decodeMember("a", data); err != nil || !reflect.DeepEqual(got, m) || a != about {
		t.Errorf("%s is read as %+v, %+v, %v", data, got, a, err)
	}
	if _, _, err := decodeMember("b", data); err == nil {
		t.Error("the description of a under the key of b is believed")
	}
	long := bytes.Replace(data, []byte(`"lease":1.5`), []byte(`"lease":1e9`), 1)
	if _, _, err := decodeMember("a", long); err == nil || !strings.Contains(err.Error(), "at most 10m0s") {
		t.Errorf("%s is read, %v", long, err)
	}
	data, err = encodeMember(m, record.About{})
	if _, a, err2 := decodeMember("a", data); err != nil || err2 != nil || a != (record.About{}) || bytes.Contains(data, []byte("seen")) {
		t.Errorf("%s is read as %+v, %v, %v", data, a, err, err2)
	}
}

// TestKeysOfALaterVersion reads what a later version may write within this format: docs/compatibility.md promises it.
func TestKeysOfALaterVersion(t *testing.T) {
	m := driver.Member{ID: "a", Address: "a:1", Kinds: []driver.Kind{{Name: "k"}}}
	data, err := encodeRecord(record.Record{View: driver.View{Incarnation: "X", Epoch: 2, Previous: 1, Members: []driver.Member{m}}})
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.ReplaceAll(data, []byte(`{"`), []byte(`{"later":{"x":[1]},"`))
	if r, err := decodeRecord(later); err != nil || len(r.View.Members) != 1 || !r.View.Members[0].Hosts("k") {
		t.Errorf("%s is read as %+v, %v", later, r, err)
	}
	data, err = encodeMember(m, record.About{})
	if err != nil {
		t.Fatal(err)
	}
	later = bytes.ReplaceAll(data, []byte(`{"`), []byte(`{"later":{"x":[1]},"`))
	if got, _, err := decodeMember("a", later); err != nil || !got.Hosts("k") {
		t.Errorf("%s is read as %+v, %v", later, got, err)
	}
}

func TestLargestRecordFits(t *testing.T) {
	r := record.Record{View: driver.View{Incarnation: strings.Repeat("x", MaxText), Epoch: 2, Previous: 1}}
	label := func(i int) string { return fmt.Sprintf("%0*d", MaxText, i) }
	taken := 0
	for i := 0; ; i++ {
		m := driver.Member{ID: driver.MemberID(label(i)), Address: fmt.Sprintf("host:%d", i+1), Labels: map[string]string{label(i): label(i), label(i + 1): label(i)}}
		if taken += weigh(m); taken > room || i == MaxMembers {
			break
		}
		r.View.Members = append(r.View.Members, m)
	}
	for i := range maxGone {
		r.Gone = append(r.Gone, driver.MemberID(label(i+1000)))
	}
	data, err := encodeRecord(r)
	if err != nil {
		t.Fatalf("a record within the limits: %v", err)
	}
	if got, err := decodeRecord(data); err != nil || len(got.View.Members) != len(r.View.Members) {
		t.Errorf("%d members are read of %d, %v", len(got.View.Members), len(r.View.Members), err)
	}
	r.View.Members = append(r.View.Members, driver.Member{ID: "z", Address: "z:1", Labels: map[string]string{"x": strings.Repeat("x", MaxRecord)}})
	if _, err := encodeRecord(r); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a record that is too large: %v", err)
	}
}

func TestBadRecords(t *testing.T) {
	good, err := encodeRecord(sample())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", MaxText+1)
	for _, c := range []struct{ old, new, want string }{
		{`"format":1`, `"format":2`, "this version reads 1"},
		{`{"format":1`, `["format"`, "not what this version writes"},
		{`7`, `-7`, "not what this version writes"},
		{`"X"`, `""`, "incarnation is empty"},
		{`"c"`, `""`, "id is empty"},
		{`"active"`, `"asleep"`, `unknown state "asleep"`},
		{`"lease"`, `"sure"`, `unknown guarantee "sure"`},
		{`"host:1"`, `"host"`, "not host:port"},
		{`"host:1"`, `"host:0"`, "not host:port"},
		{`"host:1"`, `":1"`, "not host:port"},
		{`"id":"b"`, `"id":"a"`, "listed twice"},
		{`"id":"b"`, `"id":"` + long + `"`, "at most 512 bytes"},
		{`"Ping"`, `"Zing"`, "not sorted"},
		{`[1,2]`, `[2,1]`, "versions 2 to 1"},
		{`"local"`, `"` + long + `"`, "at most 512 bytes"},
		{`"c"`, `"c"` + strings.Repeat(`,"e"`, maxGone), "that are gone"},
		{"\n]}\n", "\n]}}", "not what this version writes"},
		{"\n]}\n", "\n]}" + strings.Repeat(" ", MaxRecord), "at most 1048576"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if _, err := decodeRecord([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %.40q for %.40q: %v, want one about %q", c.new, c.old, err, c.want)
		}
	}
}

func TestBadMembers(t *testing.T) {
	for want, change := range map[string]func(*driver.Member){
		"id is empty":       func(m *driver.Member) { m.ID = "" },
		"not sorted":        func(m *driver.Member) { m.Kinds = []driver.Kind{{Name: "b"}, {Name: "a"}} },
		"kinds; at most":    func(m *driver.Member) { m.Kinds = make([]driver.Kind, MaxKinds+1) },
		"valid UTF-8":       func(m *driver.Member) { m.Labels = map[string]string{"a": "\xff"} },
		"labels; at most":   func(m *driver.Member) { m.Labels = manyLabels(MaxLabels+1, 1) },
		"fewer kinds or":    func(m *driver.Member) { m.Labels, m.Kinds = manyLabels(MaxLabels, MaxText), manyKinds() },
		"versions 3 to 2":   func(m *driver.Member) { m.Versions = driver.Versions{Min: 3, Max: 2} },
		"address is empty":  func(m *driver.Member) { m.Address = "" },
		"\"host:99999\" is": func(m *driver.Member) { m.Address = "host:99999" },
	} {
		m := sample().View.Members[0]
		change(&m)
		if _, err := encodeMember(m, record.About{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one about %q", err, want)
		}
	}
}

func manyLabels(n, size int) map[string]string {
	labels := make(map[string]string)
	for i := range n {
		labels[fmt.Sprint(i)] = strings.Repeat("v", size)
	}
	return labels
}

func manyKinds() (kinds []driver.Kind) {
	for i := range MaxKinds {
		kinds = append(kinds, driver.Kind{Name: fmt.Sprintf("%05d", i)})
	}
	return kinds
}

func TestAliveWithoutADescription(t *testing.T) {
	data, err := encodeMember(driver.Member{ID: "b", Address: "b:1"}, record.About{TTL: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	members, about, why := alive(map[driver.MemberID][]byte{"c": []byte("{"), "b": data, "a": nil})
	if len(members) != 3 || members[0].ID != "a" || members[0].Address != "" || members[1].Address != "b:1" || members[2].ID != "c" || why == nil ||
		len(about) != 1 || about["b"].TTL != 1e9 {
		t.Errorf("%v, %v, %v", members, about, why)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	data, err := encodeRecord(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"incarnation":"X","epoch":1,"previous":0,"members":[]}`))
	f.Add(bytes.ReplaceAll(data, []byte("host"), []byte{0xff}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, err := encodeRecord(r)
		if err != nil {
			return // it is larger than it was
		}
		if got, err := decodeRecord(again); err != nil || !reflect.DeepEqual(normal(got), normal(r)) {
			t.Errorf("%s is read as %+v, %v", again, got, err)
		}
	})
}

func FuzzDecodeMember(f *testing.F) {
	data, err := encodeMember(sample().View.Members[0], record.About{TTL: 1e9, Seen: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, a, err := decodeMember("a", data)
		if err != nil {
			return
		}
		if m.ID != "a" || validate(m) != nil || a.TTL < 0 || a.TTL > record.Time(MaxTTL) {
			t.Errorf("%s is read as %+v: %v", data, m, validate(m))
		}
	})
}

// normal makes no difference between none and empty.
func normal(r record.Record) record.Record {
	if len(r.Gone) == 0 {
		r.Gone = nil
	}
	for i := range r.View.Members {
		if len(r.View.Members[i].Labels) == 0 {
			r.View.Members[i].Labels = nil
		}
	}
	return r
}
