package partition

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/cluster/internal/lookup/placementpb"
	"github.com/granary-go/granary/internal/placement"
)

// generated gives a packet with a promise as the generated code reads it.
func generated(data []byte) (*packet, error) {
	var p pb.Packet
	if err := proto.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	return packetFromWire(&p)
}

var promises = []*placement.Promise{
	{Term: 1 << 63, Stale: []placement.Slot{5}, Empty: []placement.Slot{0, 200, 4095}, Reports: []placement.SlotReport{
		{Slot: 4, Report: 2, Part: 1, Parts: 3, Entries: entries},
		{Slot: 0, Report: 1 << 40, Parts: 1, Entries: make([]placement.Entry, 1)},
		{Slot: 4095, Parts: 300, Entries: append(entries, make([]placement.Entry, 100)...)},
		{},
	}},
	{Term: 7},
	{},
}

// What is coded by hand is what the generated code would make and read.
func TestPromisesAreCodedAsGenerated(t *testing.T) {
	for i, promise := range promises {
		data, err := encodePromise("m", promise)
		if err != nil {
			t.Fatal(err)
		}
		var wire pb.Packet
		if err := proto.Unmarshal(data, &wire); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if n := proto.Size(&wire); n != len(data) || cap(data) != n && i == 0 {
			t.Errorf("%d: %d bytes of %d; the generated code makes %d", i, len(data), cap(data), n)
		}
		want, err := generated(data)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := decodePromise(data)
		if !ok || !same(got, want) || !same(got, &packet{"m", promise}) {
			t.Errorf("%d: %+v, %v; want %+v", i, got, ok, want)
		}
	}
}

// same compares packets by their bytes: nil and empty slices are equal.
func same(a, b *packet) bool {
	x, errX := encodePromise(a.From, a.Message.(*placement.Promise))
	y, errY := encodePromise(b.From, b.Message.(*placement.Promise))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func TestPromisesOfBadWordsAreErrors(t *testing.T) {
	bad := []placement.Entry{{Identity: driver.Identity{Kind: "k", Name: "\xff"}}}
	if _, err := encodePromise("m", &placement.Promise{Reports: []placement.SlotReport{{Entries: bad}}}); !errors.Is(err, errNotUTF8) {
		t.Errorf("%v; want %v", err, errNotUTF8)
	}
}

// FuzzPromise: whatever the coding by hand reads, the generated code reads too,
// and in the same way.
func FuzzPromise(f *testing.F) {
	for _, p := range promises {
		data, err := encodePromise("m", p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := decodePromise(data)
		if !ok {
			return
		}
		want, err := generated(data)
		if err != nil || got.From != want.From || !same(got, want) {
			t.Errorf("%+v; the generated code reads %+v, %v", got, want, err)
		}
	})
}

// A promise in a form that the coding by hand does not know is read all the
// same.
func TestPromisesOfOtherFormsAreRead(t *testing.T) {
	data, err := encodePromise("m", promises[0])
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, 0x78, 1) // field 15, which no version has yet
	if _, ok := decodePromise(data); ok {
		t.Fatal("read by hand")
	}
	back, ok, err := Codec{}.Decode(packetName, data)
	if want, _ := generated(data); !ok || err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%+v, %v, %v", back, ok, err)
	}
}
