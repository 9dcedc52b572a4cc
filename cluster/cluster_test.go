package cluster_test

import (
	"sync"
	"testing"
)

func TestStateSurvivesMembersJoining(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	for range 3 {
		w.member()
	}
	ids := identities(300)
	sees(t, client, 3)
	each(ids, func(id string) { add(t, client, id, 1) })
	for n := int64(2); n <= 3; n++ {
		w.member()
		each(ids, func(id string) {
			if got := add(t, client, id, 1); got != n {
				t.Errorf("%s = %d, want %d: its state is lost", id, got, n)
			}
		})
	}
}

func TestGracefulLeaveFailsNoCall(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	leaver := w.member()
	for range 2 {
		w.member()
	}
	ids := identities(200)
	sees(t, client, 3)
	each(ids, func(id string) { add(t, client, id, 1) })
	stop, calls := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				each(ids, func(id string) { add(t, client, id, 1) })
				calls += len(ids)
			}
		}
	})
	if err := leaver.Shutdown(true); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
	each(ids, func(id string) {
		if at := where(t, client, id); at == leaver.ActorSystem().Address() {
			t.Errorf("%s is still said to be on the member that left", id)
		}
	})
	t.Logf("%d calls while a member left", calls)
}
