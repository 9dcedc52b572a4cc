package actor

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRestartStatisticsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := &RestartStatistics{}
		for range 10_000 {
			rs.Fail(10, time.Hour)
		}
		if n := len(rs.failures); n > 11 {
			t.Fatalf("%d failures remembered for a limit of 10", n)
		}
		if rs.Total() != 10_000 {
			t.Fatalf("total %d", rs.Total())
		}
	})
}

func TestRestartStatisticsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := &RestartStatistics{}
		for i := range 3 {
			if rs.Fail(3, 10*time.Second) {
				t.Fatalf("failure %d of 3 allowed is too many", i+1)
			}
		}
		<-time.After(10*time.Second + 1)
		for i := range 3 {
			if rs.Fail(3, 10*time.Second) {
				t.Fatalf("failure %d in the next window is too many", i+1)
			}
		}
		if !rs.Fail(3, 10*time.Second) {
			t.Fatal("the fourth failure in a window is allowed")
		}
	})
}

func TestRestartStatisticsWithoutWindowOrLimit(t *testing.T) {
	forever := &RestartStatistics{}
	for i := range 4 {
		if tooMany := forever.Fail(2, 0); tooMany != (i >= 2) {
			t.Errorf("without a window, failure %d of 2 allowed: too many is %v", i+1, tooMany)
		}
	}
	if never := (&RestartStatistics{}); !never.Fail(0, time.Second) {
		t.Error("with a limit of 0 the first failure must be too many")
	}
	if negative := (&RestartStatistics{}); !negative.Fail(-1, time.Second) {
		t.Error("a negative limit must be like 0")
	}
}
