package remote

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/granary-go/granary/actor"
)

func flyingTo(id string, size int) flying {
	return flying{target: actor.NewPID("there:1", id), size: size}
}

func idsOf(items []flying) (ids []string) {
	for _, m := range items {
		ids = append(ids, m.target.Id)
	}
	return ids
}

// Compared with a list that forgets nothing.
func TestFlight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	f := flight{maxMessages: 50, maxBytes: 1000, next: 7}
	all, done := slices.Repeat([]flying{{}}, 7), uint64(7)
	for i := range 20000 {
		var batch []flying
		for range random.IntN(9) {
			batch = append(batch, flyingTo(fmt.Sprint(i), random.IntN(40)))
		}
		bytes := 0
		for _, m := range batch {
			bytes += m.size
		}
		if under := all[done:]; f.fits(len(batch), bytes) != (len(under) == 0 || len(under)+len(batch) <= 50 && sizeOf(under)+bytes <= 1000) {
			t.Fatalf("%d and %d bytes more than %d and %d: fits is wrong", len(batch), bytes, len(under), sizeOf(under))
		}
		if f.fits(len(batch), bytes) {
			f.add(batch)
			if all = append(all, batch...); random.IntN(10) == 0 {
				f.withdraw(len(batch))
				all = all[:len(all)-len(batch)]
			}
		}
		upTo := uint64(random.IntN(len(all) + 1))
		if err := f.acknowledge(upTo); err != nil {
			t.Fatal(err)
		}
		done = max(done, upTo)
		if f.len() != len(all[done:]) || f.bytes != sizeOf(all[done:]) || f.next != uint64(len(all)) {
			t.Fatalf("holds %d messages of %d bytes up to %d, want %d of %d up to %d", f.len(), f.bytes, f.next, len(all[done:]), sizeOf(all[done:]), len(all))
		}
	}
	if err := f.acknowledge(f.next + 1); !errors.Is(err, errAcknowledged) {
		t.Errorf("acknowledging what was not sent: %v", err)
	}
	f.add([]flying{flyingTo("last", 1)})
	all = append(all, flyingTo("last", 1))
	items, first := f.land()
	if first != done || !slices.Equal(idsOf(items), idsOf(all[done:])) || f.len() != 0 || f.bytes != 0 {
		t.Errorf("landed %d from %d, want %d from %d", len(items), first, len(all[done:]), done)
	}
}

func sizeOf(items []flying) (bytes int) {
	for _, m := range items {
		bytes += m.size
	}
	return bytes
}

func TestDoubt(t *testing.T) {
	d := &doubt{first: 10, items: []flying{flyingTo("10", 1), flyingTo("11", 1), flyingTo("12", 1)}}
	cause := errors.New("it rained")
	tests := []struct {
		answer answer
		lost   []string
		sure   bool
	}{
		{answer{}, []string{"10", "11", "12"}, false},
		{answer{upTo: 3, known: true}, []string{"10", "11", "12"}, true},
		{answer{upTo: 10, known: true}, []string{"10", "11", "12"}, true},
		{answer{upTo: 11, known: true}, []string{"11", "12"}, true},
		{answer{upTo: 13, known: true}, nil, true},
		{answer{upTo: 14, known: true}, []string{"10", "11", "12"}, false},
		{answer{upTo: 11, since: 10, known: true}, []string{"11", "12"}, true},
		{answer{upTo: 13, since: 13, known: true}, []string{"10", "11", "12"}, false},
	}
	for _, test := range tests {
		lost, known, reason := d.split(test.answer, "there:1", cause)
		want := "remote: the connection to there:1 was lost (it rained) and whether the message had arrived is unknown"
		if test.sure {
			want = "remote: the connection to there:1 was lost before the message arrived: it rained"
		}
		if !slices.Equal(idsOf(lost), test.lost) || known != test.sure || reason != want {
			t.Errorf("%+v: lost %v: %s; want %v: %s", test.answer, idsOf(lost), reason, test.lost, want)
		}
	}
}

func TestArrivalsAreBounded(t *testing.T) {
	a := arrivals{most: 3}
	for i := range 5 {
		a.remember(fmt.Sprint(i), 1, 0, uint64(i))
		a.remember(fmt.Sprint(i), 2, 0, uint64(10*i))
	}
	for i, known := range []bool{false, false, true, true, true} {
		got := a.from(fmt.Sprint(i))
		if (got != nil) != known || known && (got.Incarnation != 2 || got.Messages != uint64(10*i)) {
			t.Errorf("%d: %v", i, got)
		}
	}
	if len(a.of) != 3 || len(a.order) != 3 {
		t.Errorf("remembers %d and %d, want 3", len(a.of), len(a.order))
	}
}
