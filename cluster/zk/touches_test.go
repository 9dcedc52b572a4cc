package zk

import (
	"testing"
	"time"
)

// Each row is one renewal after another of a session of 1 s, in milliseconds: when it was sent, when it was answered,
// and how much it grants. The session was opened at 0.
func TestTouches(t *testing.T) {
	t.Parallel()
	type renewal struct{ sent, answered, granted int }
	for name, c := range map[string]struct {
		attached int // the handshake before the last renewal
		renewals []renewal
	}{
		"in time":                      {0, []renewal{{167, 168, 500}, {333, 334, 500}, {500, 501, 500}, {667, 668, 500}, {833, 834, 500}, {1000, 1001, 500}}},
		"late once":                    {0, []renewal{{450, 460, 500}, {620, 621, 380}, {790, 791, 500}}},
		"late, and again at once":      {0, []renewal{{400, 445, 500}, {450, 451, 500}, {600, 601, 400}, {690, 691, 310}, {700, 701, 500}}},
		"just before its end":          {0, []renewal{{900, 990, 100}, {1000, 1001, 0}, {1240, 1241, 500}}},
		"after its end, as it seems":   {0, []renewal{{1100, 1101, -100}}},
		"a handshake counts at once":   {880, []renewal{{900, 901, 500}}},
		"a handshake while it is sent": {905, []renewal{{900, 950, 500}}},
	} {
		t.Run(name, func(t *testing.T) {
			zero := time.Now()
			at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
			touches := touches{timeout: time.Second, known: zero}
			for i, r := range c.renewals {
				attached := zero
				if i == len(c.renewals)-1 {
					attached = at(c.attached)
				}
				if got := touches.renewed(attached, at(r.sent), at(r.answered)); got != time.Duration(r.granted)*time.Millisecond {
					t.Errorf("renewal %d, sent at %d ms, grants %v; want %d ms", i, r.sent, got, r.granted)
				}
			}
		})
	}
}

// A renewal never grants more than the leader is sure to keep, whatever it has not heard of yet.
func TestTouchesAreSafe(t *testing.T) {
	t.Parallel()
	const timeout, report = 1000, 250 // a touch is heard of at the latest 250 ms after its answer
	zero := time.Now()
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	for gap1 := 10; gap1 < 900; gap1 += 70 {
		for gap2 := 10; gap2 < 900; gap2 += 70 {
			for took := 1; took < 100; took += 40 {
				touches := touches{timeout: timeout * time.Millisecond, known: zero}
				sent, heard := 0, 0
				var all []int
				for i := range 40 {
					if sent += gap1; i%2 == 0 {
						sent += gap2 - gap1
					}
					for _, s := range all {
						if s+took+report <= sent {
							heard = s
						}
					}
					all = append(all, sent)
					granted := touches.renewed(zero, at(sent), at(sent+took))
					if granted > timeout/2*time.Millisecond || granted > time.Duration(heard+timeout-sent)*time.Millisecond {
						t.Fatalf("gaps %d and %d, answers after %d: the renewal sent at %d grants %v; the leader knows of %d alone",
							gap1, gap2, took, sent, granted, heard)
					}
				}
			}
		}
	}
}
