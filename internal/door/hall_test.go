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
