package wire

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/granary-go/granary/test/fleet"
)

// TestStalledReader has a process send to two others, of which one reads no more. What waits for that one is bounded; the
// other is asked as quickly as before, which is printed.
func TestStalledReader(t *testing.T) {
	notes := fleet.NewNotes(t)
	ports := [3]*listener{listen(t), listen(t), listen(t)}
	slow := newProxy(t, ports[1].address)
	sink := ports[1].start(t, notes, "slow", role{Address: slow.address()})
	next(t, sink, doneWord)
	healthy := ports[2].start(t, notes, "healthy", role{Address: ports[2].address})
	next(t, healthy, doneWord)
	sender := ports[0].start(t, notes, "sender", role{Address: ports[0].address, Peer: ports[2].address, Flood: slow.address()})
	before := measured(t, next(t, sender, phaseWord))
	slow.stall()
	if err := sender.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	stalled := measured(t, next(t, sender, phaseWord))
	slow.resume()
	if err := sender.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	after := measured(t, next(t, sender, phaseWord))
	const mib = 1 << 20
	t.Logf("the other peer's answers, 99 %%: %v before, %v while one reads nothing (%.2f ×), %v after it reads again",
		before.P99, stalled.P99, float64(stalled.P99)/float64(before.P99), after.P99)
	t.Logf("the sender's heap: %d MiB, %d MiB, %d MiB; refused messages: %d, %d, %d",
		before.Heap/mib, stalled.Heap/mib, after.Heap/mib, before.Refused, stalled.Refused, after.Refused)
	if stalled.Refused == 0 || before.Refused > 0 {
		t.Error("the queue was not filled, or was before: this shows nothing")
	}
	// The queue, as much again that is under way, and what holds them.
	if most := uint64(4 * floodQueue); stalled.Heap > before.Heap+most {
		t.Errorf("the sender's heap grew from %d to %d MiB, by more than %d", before.Heap/mib, stalled.Heap/mib, most/mib)
	}
	if before.Failed+stalled.Failed+after.Failed > 0 {
		t.Errorf("questions to the other peer failed: %d, %d, %d", before.Failed, stalled.Failed, after.Failed)
	}
	if after.Heap > before.Heap+floodQueue/2 {
		t.Errorf("the sender keeps %d MiB after the other has read everything; it had %d", after.Heap/mib, before.Heap/mib)
	}
}

func measured(t *testing.T, line string) (p phase) {
	t.Helper()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, phaseWord)), &p); err != nil {
		t.Fatal(err)
	}
	return p
}
