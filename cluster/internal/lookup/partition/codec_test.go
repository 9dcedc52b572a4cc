package partition

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/internal/placement"
)

var (
	alice   = driver.Identity{Kind: "k", Name: "alice/ünï"}
	fence   = driver.Fence{Term: 1 << 63, Seq: 7}
	entries = []placement.Entry{{Identity: alice, Fence: fence}, {Identity: driver.Identity{Kind: "l", Name: "b"}, Fence: fence}}
)

// messages has one of each kind that crosses processes.
var messages = []any{
	&packet{"m", &placement.Prepare{Term: 3, Slots: []placement.Slot{0, 4095}}},
	&packet{"m", &placement.Promise{
		Term: 3, Stale: []placement.Slot{5}, Empty: []placement.Slot{1, 2},
		Reports: []placement.SlotReport{{Slot: 4, Report: 2, Part: 1, Parts: 3, Entries: entries}},
	}},
	&packet{"m", &placement.Spawn{Identity: alice, Fence: fence}},
	&packet{"m", &placement.Spawned{Identity: alice, Fence: fence, Verdict: placement.Exists, Existing: driver.Fence{Seq: 1}}},
	&packet{"m", &placement.Spawned{Identity: alice, Fence: fence, Verdict: placement.Refused, Reason: placement.Busy, Existing: fence}},
	&packet{"m", &placement.Deactivated{Entries: entries}},
	&packet{"m", &placement.DeactivatedAck{Entries: entries}},
	&packet{"m", &placement.Verify{Identity: alice, Fence: fence}},
	&packet{"m", &placement.Verified{Identity: alice, Fence: fence, Phase: placement.Stopping}},
	&packet{"m", &placement.StopOrder{Identity: alice, Fence: fence}},
	&resolveRequest{Epoch: 9, Identity: alice, Hint: "m", Suspect: fence},
	&resolveRequest{Epoch: 9, Identity: alice},
	&resolveAnswer{Outcome: placement.Found, Host: "m", Fence: fence, Epoch: 9},
	&explainRequest{alice, 7},
	&ownerSays{Owner: explanation.Owner{Member: refOf("m"), State: slotAcquiring, Missing: []explanation.Member{refOf("a")}, Entry: &explanation.Entry{}}, history: told},
	&hostSays{Host: explanation.Host{Member: refOf("m"), Phase: "running", Token: "t"}, history: told},
}

func TestMessagesSurviveTheWire(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	for _, m := range messages {
		name, data, ok, err := Codec{}.Encode(m)
		if !ok || err != nil {
			t.Errorf("encode %+v: %v, %v", m, ok, err)
			continue
		}
		back, ok, err := Codec{}.Decode(name, data)
		if !ok || err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("decode %s: %+v, %v, %v; want %+v", name, back, ok, err, m)
		}
		if p, ok := m.(*packet); ok {
			seen[reflect.TypeOf(p.Message)] = true
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d of the 9 kinds of messages were tried", len(seen))
	}
}

func TestForeignMessagesAreLeftAlone(t *testing.T) {
	if _, _, ok, err := (Codec{}).Encode("text"); ok || err != nil {
		t.Errorf("Encode took a string: %v, %v", ok, err)
	}
	if _, ok, err := (Codec{}).Decode("some.other.Message", nil); ok || err != nil {
		t.Errorf("Decode took a foreign name: %v, %v", ok, err)
	}
}

func TestMalformedMessagesAreErrors(t *testing.T) {
	for _, c := range []struct {
		what, name string
		data       []byte
	}{
		{"packet without a message", packetName, nil},
		{"packet of noise", packetName, []byte("\xff\xff")},
		{"answer without an outcome", answerName, nil},
		{"request of noise", requestName, []byte("\x01")},
		{"spawned without a verdict", packetName, []byte{0x2a, 0}},
		{"verified without a phase", packetName, []byte{0x4a, 0}},
	} {
		if m, ok, err := (Codec{}).Decode(c.name, c.data); !ok || err == nil {
			t.Errorf("%s: %+v, %v, %v; want an error", c.what, m, ok, err)
		}
	}
}

func TestBadFieldsAreErrors(t *testing.T) {
	request := func(kind, name int) any {
		return &resolveRequest{Identity: driver.Identity{Kind: strings.Repeat("k", kind), Name: strings.Repeat("n", name)}}
	}
	spawned := func(v placement.Verdict, r placement.Reason) any {
		return &packet{"m", &placement.Spawned{Identity: alice, Fence: fence, Verdict: v, Reason: r}}
	}
	for _, c := range []struct {
		what    string
		message any
		good    bool
	}{
		{"longest words", request(driver.MaxKindLength, driver.MaxIdentityLength), true},
		{"no kind", request(0, 1), false},
		{"no name", request(1, 0), false},
		{"long kind", request(driver.MaxKindLength+1, 1), false},
		{"long name", request(1, driver.MaxIdentityLength+1), false},
		{"last reason", spawned(placement.Refused, placement.LeaseEnding), true},
		{"a reason beyond", spawned(placement.Refused, placement.LeaseEnding+1), false},
		{"refused without a reason", spawned(placement.Refused, 0), false},
		{"accepted with a reason", spawned(placement.Accepted, placement.Busy), false},
	} {
		name, data, _, err := Codec{}.Encode(c.message)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := (Codec{}).Decode(name, data); !ok || (err == nil) != c.good || !c.good && !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v, %v", c.what, ok, err)
		}
	}
}

// FuzzDecode feeds a pair of machines whatever decodes: they must not panic,
// and what decodes must encode.
func FuzzDecode(f *testing.F) {
	for _, m := range messages {
		name, data, _, _ := Codec{}.Encode(m)
		f.Add(name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		m, ok, err := Codec{}.Decode(name, data)
		if !ok || err != nil {
			return
		}
		if _, _, ok, _ := (Codec{}).Encode(m); !ok {
			t.Errorf("%+v decodes and does not encode", m)
		}
		p, isPacket := m.(*packet)
		if !isPacket {
			return
		}
		view := driver.View{Epoch: 10, Members: []driver.Member{{ID: "a", Kinds: []driver.Kind{{Name: "k"}}}, {ID: p.From}}}
		host, owner := placement.NewHost("a", placement.HostConfig{}), placement.NewOwner("a", placement.OwnerConfig{})
		host.Step(0, placement.ViewChanged{View: view})
		owner.Step(0, placement.ViewChanged{View: view})
		for range 2 {
			host.Step(0, placement.Received{From: p.From, Message: p.Message})
			owner.Step(0, placement.Received{From: p.From, Message: p.Message})
		}
	})
}
