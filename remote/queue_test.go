package remote

import (
	"fmt"
	"slices"
	"testing"

	"github.com/granary-go/granary/actor"
)

// A queue hands out what it was given, in its order, and counts it.
func TestQueue(t *testing.T) {
	q := queue{maxMessages: 1000, maxBytes: 1 << 20, maxSystem: 3}
	var want, got []string
	for i := range 1000 {
		o := outbound{target: actor.NewPID("there:1", fmt.Sprint(i)), size: 10}
		if !q.push(&o) {
			t.Fatalf("%d messages fill it", i)
		}
		want = append(want, o.target.Id)
	}
	o := outbound{target: actor.NewPID("there:1", "too many"), size: 10}
	if q.push(&o) {
		t.Error("one more than may be")
	}
	for more := true; more; {
		var items []outbound
		items, more = q.take()
		for _, o := range items {
			got = append(got, o.target.Id)
		}
		q.giveBack(items)
	}
	if !slices.Equal(got, want) {
		t.Errorf("handed out %d messages, not those %d in their order", len(got), len(want))
	}
	if q.push(&o) {
		t.Error("what was taken counts until it is written")
	}
	q.written(1000, 10_000)
	if q.messages != 0 || q.bytes != 0 || !q.push(&o) {
		t.Errorf("%d messages of %d bytes after all was written", q.messages, q.bytes)
	}
}

// System messages have room of their own, which those that were taken leave.
func TestQueueOfSystemMessages(t *testing.T) {
	q := queue{maxMessages: 1, maxBytes: 1, maxSystem: 2}
	for range 3 {
		for i := range 3 {
			o := outbound{target: actor.NewPID("there:1", "x"), system: true, size: 1}
			if took := q.push(&o); took != (i < 2) {
				t.Errorf("the %d. was taken: %v", i+1, took)
			}
		}
		items, _ := q.take()
		q.giveBack(items)
	}
}
