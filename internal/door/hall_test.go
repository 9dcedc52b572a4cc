package door

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestHall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHall(2, time.Second)
		first, _ := h.Expect(t.Context())
		second, came := h.Expect(t.Context())
		third, _ := h.Expect(t.Context()) // for which the first goes
		synctest.Wait()
		if first.Err() == nil || second.Err() != nil || third.Err() != nil || h.Waiting() != 2 {
			t.Errorf("%v, %v, %v; %d wait", first.Err(), second.Err(), third.Err(), h.Waiting())
		}
		came()
		came()
		time.Sleep(time.Second)
		synctest.Wait()
		if second.Err() != nil || third.Err() == nil || h.Waiting() != 0 {
			t.Errorf("%v, %v; %d wait", second.Err(), third.Err(), h.Waiting())
		}
		gone, leave := context.WithCancel(t.Context())
		_, _ = h.Expect(gone)
		leave()
		synctest.Wait()
		if h.Waiting() != 0 {
			t.Error("who has gone waits")
		}
	})
}

func TestWiden(t *testing.T) {
	h := NewHall(1, time.Hour)
	h.Widen(3)
	h.Widen(2)
	var all []context.Context
	for range 4 {
		ctx, came := h.Expect(t.Context())
		defer came()
		all = append(all, ctx)
	}
	if all[0].Err() == nil || all[1].Err() != nil || h.Waiting() != 3 {
		t.Errorf("%v, %v; %d wait, and there is room for 3", all[0].Err(), all[1].Err(), h.Waiting())
	}
}
