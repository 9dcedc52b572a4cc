package wire

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/test/fleet"
	"github.com/granary-go/granary/test/process"
)

var (
	messageCount = flag.Int("wire.messages", 400_000, "how many messages the two processes send each other, together")
	cutCount     = flag.Int("wire.cuts", 12, "how often their connection is cut meanwhile")
	seed         = flag.Uint64("wire.seed", 1, "decides how long it is away each time")
)

// limit bounds every wait for one thing.
const limit = 4 * time.Minute

// TestCut has two processes send to each other while their connection is cut and restored. Each message from one sender
// to one target arrives in order and once, or is a dead letter where it was sent, and none is both.
func TestCut(t *testing.T) {
	each := max(*messageCount/(2*pairs), shares) // that each sender sends to each target
	notes := fleet.NewNotes(t)
	proxies, members := startTwo(t, notes, each)
	random := rand.New(rand.NewPCG(*seed, 0))
	began := time.Now()
	away := time.Duration(0)
	for cut := range *cutCount {
		// Cuts are spread over the first process's sending.
		for range shares*(cut+1)/(*cutCount+1) - shares*cut/(*cutCount+1) {
			next(t, members[0], sharesWord)
		}
		for _, p := range proxies {
			p.cut()
		}
		d := time.Duration(random.Int64N(int64(400 * time.Millisecond)))
		<-time.After(d) // the connection is away for so long: this is the fault, it waits for nothing
		away += d
		for _, p := range proxies {
			p.restore()
		}
	}
	next(t, members[0], doneWord)
	next(t, members[1], doneWord)
	took := time.Since(began)
	var counted [2]totals
	for i, m := range members {
		if err := m.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		text := strings.TrimPrefix(next(t, m, totalsWord), totalsWord)
		if err := json.Unmarshal([]byte(text), &counted[i]); err != nil {
			t.Fatal(err)
		}
	}
	all := compare(t, counted[0].Dead, counted[1].Arrived, each)
	all.add(compare(t, counted[1].Dead, counted[0].Arrived, each))
	t.Logf("%d messages in %v, %d cuts of %v in all: %d arrived, %d dead letters, %d out of order or twice",
		2*pairs*each, took.Round(time.Millisecond), *cutCount, away.Round(time.Millisecond), all.arrived, all.dead, all.disordered)
	if all.dead == 0 || all.arrived < all.dead {
		t.Error("the cuts did nothing, or left nothing: this shows little")
	}
	if lost := len(notes.With("disconnected")); lost < *cutCount {
		t.Errorf("of %d cuts only %d were noticed", *cutCount, lost)
	}
}

type result struct{ arrived, dead, disordered uint64 }

func (r *result) add(o result) {
	r.arrived, r.dead, r.disordered = r.arrived+o.arrived, r.dead+o.dead, r.disordered+o.disordered
}

// compare holds what one process has as dead letters and what arrived at the other against what was sent.
func compare(t *testing.T, dead, arrived [pairs]account, each int) (all result) {
	t.Helper()
	var sum uint64
	for n := range each {
		sum += mix(int64(n))
	}
	for i := range dead {
		d, a := dead[i], arrived[i]
		all.add(result{a.Count, d.Count, a.Disordered})
		if a.Count+d.Count != uint64(each) || a.Sum+d.Sum != sum || a.Disordered > 0 {
			t.Errorf("of sender %d's %d messages to target %d: %d arrived, %d of them out of order or twice, %d are dead letters; the same messages: %v",
				i/targets, each, i%targets, a.Count, a.Disordered, d.Count, a.Sum+d.Sum == sum)
		}
	}
	return all
}

// startTwo starts two processes that reach each other through proxies.
func startTwo(t *testing.T, notes *fleet.Notes, messages int) (proxies [2]*proxy, members [2]*process.Process) {
	t.Helper()
	listeners := [2]*listener{listen(t), listen(t)}
	for i, l := range listeners {
		proxies[i] = newProxy(t, l.address)
	}
	for i, name := range []string{"one", "other"} {
		r := role{Address: proxies[i].address(), Peer: proxies[1-i].address(), Messages: messages}
		members[i] = listeners[i].start(t, notes, name, r)
	}
	return proxies, members
}

// next waits for a line that begins with a word.
func next(t *testing.T, p *process.Process, word string) string {
	t.Helper()
	line, err := p.Next(t.Context(), limit, word, func(text string) bool { return strings.HasPrefix(text, word) })
	if err != nil {
		t.Fatal(err)
	}
	return line.Text
}
