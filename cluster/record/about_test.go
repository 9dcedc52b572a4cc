package record_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

func TestAnotherLeaseTimeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		nodes := cluster(t, s, 2)
		session, err := s.Provider(record.WithTTL(3*ttl)).Join(t.Context(), request(member(5)))
		if err != nil {
			t.Fatal(err)
		}
		odd := &node{t: t, member: member(5), session: session}
		odd.fails(driver.ErrRefused, "it asks for a lease time of 30 s, and m0(host:1) for 10 s; give all members the same")
		odd.close()
		join(t, s, member(6)).members("m0", "m1", "m6")
		nodes[0].members("m0", "m1", "m6")
	})
}

// TestEpochsRiseOverAnOlderRecord puts a record back that was there before, as
// one does who restores a backup.
func TestEpochsRiseOverAnOlderRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		p := s.Provider()
		session, err := p.Join(t.Context(), request(member(0)))
		if err != nil {
			t.Fatal(err)
		}
		only := &node{t: t, member: member(0), session: session}
		only.members("m0")
		backup, _ := s.Get("c")
		for i := range 5 {
			guest := join(t, s, member(10+i))
			guest.until("itself", func(driver.View) bool { return true })
			if err := guest.session.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		newest := only.members("m0").Epoch
		s.Put("c", backup)
		only.fails(driver.ErrRemoved, "gone back")
		only.close()
		if session, err = p.Join(t.Context(), request(member(1))); err != nil {
			t.Fatal(err)
		}
		again := &node{t: t, member: member(1), session: session}
		t.Cleanup(again.close)
		if v := again.until("itself", func(driver.View) bool { return true }); v.Epoch <= newest {
			t.Errorf("after the record was put back the epoch is %d, and was %d", v.Epoch, newest)
		}
	})
}

// TestAnObserverWritesNothing leaves one alone with an empty store.
func TestAnObserverWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		session, err := s.Provider().Observe(t.Context(), request(driver.Member{Address: "host:1"}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*ttl)
		defer cancel()
		if v, err := session.Watch(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it is shown %+v, %v", v, err)
		}
		if data, alive := s.Get("c"); data != nil || len(alive) > 0 {
			t.Errorf("the store has %q, alive %v", data, alive)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(ttl)
		if data, alive := s.Get("c"); data != nil || len(alive) > 0 {
			t.Errorf("after Close the store has %q, alive %v", data, alive)
		}
	})
}
