package placement

import (
	"fmt"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

const second = Time(1_000_000_000)

// newTestOwner is the owner o in a view with these hosts of kind k, all slots
// open.
func newTestOwner(t *testing.T, cfg OwnerConfig, hosts ...string) *Owner {
	t.Helper()
	v := viewOf(5, append([]string{"o"}, hosts...)...)
	v.Members[0].Kinds = nil
	return openOwner(t, NewOwner("o", cfg), v)
}

func openOwner(t *testing.T, o *Owner, v driver.View) *Owner {
	t.Helper()
	for _, p := range sent[*Prepare](o.Step(0, ViewChanged{View: v})) {
		o.Step(0, Received{From: p.to, Message: &Promise{Term: p.message.Term, Empty: p.message.Slots}})
	}
	if o.Acquiring() > 0 {
		t.Fatalf("%d slots did not open", o.Acquiring())
	}
	return o
}

type sentTo[M Message] struct {
	to      driver.MemberID
	message M
}

// sent gives the messages of a kind among effects.
func sent[M Message](effects []Effect) []sentTo[M] {
	var out []sentTo[M]
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			if m, ok := s.Message.(M); ok {
				out = append(out, sentTo[M]{s.To, m})
			}
		}
	}
	return out
}

// the gives the only effect of a kind.
func the[E Effect](t *testing.T, effects []Effect) E {
	t.Helper()
	var out []E
	for _, e := range effects {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	if len(out) != 1 {
		t.Fatalf("%d effects %T in %+v; want 1", len(out), *new(E), effects)
	}
	return out[0]
}

func theSent[M Message](t *testing.T, effects []Effect) sentTo[M] {
	t.Helper()
	out := sent[M](effects)
	if len(out) != 1 {
		t.Fatalf("%d messages %T in %+v; want 1", len(out), *new(M), effects)
	}
	return out[0]
}

// owned gives identities of kind k in slots of an owner.
func owned(o *Owner, n int) []driver.Identity {
	var out []driver.Identity
	for i := 0; len(out) < n; i++ {
		if id := (driver.Identity{Kind: "k", Name: fmt.Sprint(i)}); o.slots[SlotOf(id)] != nil {
			out = append(out, id)
		}
	}
	return out
}

var lastRequest uint64

// ask resolves an identity by the owner's view.
func ask(o *Owner, now Time, id driver.Identity) []Effect {
	lastRequest++
	return o.Step(now, Resolve{Request: lastRequest, Epoch: o.view.Epoch, Identity: id})
}

// answerSpawn answers a Spawn in the name of the host it went to.
func answerSpawn(o *Owner, now Time, s sentTo[*Spawn], v Verdict, r Reason) []Effect {
	return o.Step(now, Received{From: s.to, Message: &Spawned{
		Identity: s.message.Identity, Fence: s.message.Fence, Verdict: v, Reason: r,
	}})
}

// activate makes an identity active.
func activate(t *testing.T, o *Owner, now Time, id driver.Identity) sentTo[*Spawn] {
	t.Helper()
	s := theSent[*Spawn](t, ask(o, now, id))
	expect(t, "outcome", the[Answer](t, answerSpawn(o, now, s, Accepted, 0)).Outcome, Found)
	return s
}

// A full owner still answers what it can answer at once.
func TestOwnerLimitsOnlyWhoWouldWait(t *testing.T) {
	o := newTestOwner(t, OwnerConfig{MaxWaiting: 3}, "h")
	ids := owned(o, 3)
	warm, hung, cold := ids[0], ids[1], ids[2]
	activate(t, o, 0, warm)
	for range 3 {
		ask(o, 0, hung)
	}
	expect(t, "the one too many", the[Answer](t, ask(o, 0, hung)).Outcome, Wait)
	expect(t, "warm", the[Answer](t, ask(o, 0, warm)).Outcome, Found)
	effects := ask(o, 0, cold)
	expect(t, "cold", the[Answer](t, effects).Outcome, Wait)
	expect(t, "grants for nobody", len(sent[*Spawn](effects)), 0)
	foreign := driver.Identity{Kind: "none", Name: warm.Name}
	for i := 0; o.slots[SlotOf(foreign)] == nil; i++ {
		foreign.Name = fmt.Sprint(i)
	}
	expect(t, "no host", the[Answer](t, ask(o, 0, foreign)).Outcome, NoHost)
}

// Whoever has waited for too long is forgotten, in whatever queue.
func TestOwnerAnswersWaitWhenPatienceEnds(t *testing.T) {
	o := newTestOwner(t, OwnerConfig{Patience: 10 * second}, "h")
	id := owned(o, 1)[0]
	for i := range Time(20) { // asked again every 5 s, its host never answers
		ask(o, i*5*second, id)
		o.Step(i*5*second, Tick{})
		if n := len(o.slots[SlotOf(id)].grants[id].waiters); n > 2 {
			t.Fatalf("%d waiters of one asker", n)
		}
	}
	o.Step(105*second, Tick{})
	expect(t, "waiting", o.waiting, 0)
	expect(t, "the grant is there", o.Pending(), true) // rule 5: it does not end by a time-out

	early := newTestOwner(t, OwnerConfig{Patience: 10 * second}, "h")
	expect(t, "pending", early.Pending(), false)
	expect(t, "refresh", the[Refresh](t, early.Step(0, Resolve{Request: 1, Epoch: 1 << 63, Identity: id})).Epoch, uint64(1<<63))
	expect(t, "pending", early.Pending(), true)
	expect(t, "too soon", early.Step(10*second-1, Tick{}), []Effect(nil))
	expect(t, "a view later", early.Step(10*second-1, ViewChanged{View: viewOf(6, "o", "h")}), []Effect{Refresh{1 << 63}})
	expect(t, "in time", early.Step(10*second, Tick{}), []Effect{Answer{Request: 1, Outcome: Wait, Epoch: 6}})
	expect(t, "pending", early.Pending(), false)

	acquiring := NewOwner("o", OwnerConfig{Patience: 10 * second})
	acquiring.Step(0, ViewChanged{View: viewOf(5, "o", "h")})
	ask(acquiring, 0, owned(acquiring, 1)[0])
	expect(t, "acquiring", the[Answer](t, acquiring.Step(10*second, Tick{})).Outcome, Wait)
	expect(t, "waiting", acquiring.waiting, 0)
}

// Epochs that askers made up take no room from those who ask by a real one.
func TestOwnerBoundsEarlyResolvesApart(t *testing.T) {
	o := newTestOwner(t, OwnerConfig{MaxWaiting: 1}, "h")
	id := owned(o, 1)[0]
	for i := range uint64(maxEarlyResolves) {
		expect(t, "early", o.Step(0, Resolve{Request: i, Epoch: 1 << 63, Identity: id}), []Effect{Refresh{1 << 63}})
	}
	effects := o.Step(0, Resolve{Request: 1 << 40, Epoch: 1 << 63, Identity: id})
	expect(t, "one too many", effects, []Effect{Answer{Request: 1 << 40, Outcome: Wait, Epoch: 5}, Refresh{1 << 63}})
	activate(t, o, 0, id)
}

// The order of deadlines does not grow with those who were answered.
func TestOwnerForgetsDeadlinesOfTheAnswered(t *testing.T) {
	o := newTestOwner(t, OwnerConfig{}, "h")
	ids := owned(o, 1000)
	ask(o, 0, ids[0]) // stays at the front
	for _, id := range ids[1:] {
		activate(t, o, 0, id)
	}
	if n := len(o.deadlines); n > 100 {
		t.Errorf("%d deadlines for one waiter", n)
	}
}

// A host that was silent is asked again for new activations as soon as
// anything is heard of it.
func TestOwnerHearsASilentHost(t *testing.T) {
	o := newTestOwner(t, OwnerConfig{}, "h", "g")
	ids := owned(o, 5)
	first := activate(t, o, 0, ids[0])
	o.Step(1, Resolve{Request: 1 << 32, Epoch: 5, Identity: ids[0], Suspect: first.message.Fence})
	for i := range Time(4) { // what it is asked is lost
		o.Step(i*second, Tick{})
	}
	for _, id := range ids[1:3] {
		if on := activate(t, o, 4*second, id).to; on == first.to {
			t.Errorf("%s goes to a silent host", id)
		}
	}
	o.Step(5*second, Received{From: first.to, Message: &Deactivated{[]Entry{{ids[0], first.message.Fence}}}})
	on := map[driver.MemberID]bool{}
	for _, id := range ids[3:5] {
		on[activate(t, o, 6*second, id).to] = true
	}
	if !on[first.to] {
		t.Errorf("new activations go to %v, %s was heard of", on, first.to)
	}
}

// When all have refused the owner does not ask them again at once.
func TestOwnerStopsAskingHostsThatRefuse(t *testing.T) {
	for _, reason := range []Reason{HostLeaving, UnknownKind, LeaseEnding} {
		for _, hosts := range [][]string{{"h"}, {"h", "g"}} {
			o := newTestOwner(t, OwnerConfig{}, hosts...)
			id := owned(o, 1)[0]
			effects := ask(o, 0, id)
			for range hosts {
				effects = answerSpawn(o, 0, theSent[*Spawn](t, effects), Refused, reason)
			}
			expect(t, "outcome", the[Answer](t, effects).Outcome, Wait)
			expect(t, "refresh", the[Refresh](t, effects).Epoch, uint64(6))
			expect(t, "spawns", len(sent[*Spawn](effects)), 0)
			expect(t, "pending", o.Pending(), false)
			expect(t, "asked again", len(sent[*Spawn](ask(o, 1, id))), 1)
		}
	}
}

// Every owner begins elsewhere: fifty identities are about five to an owner.
func TestFewIdentitiesAreSpread(t *testing.T) {
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("m%02d", i))
	}
	v := viewOf(5, names...)
	owners := make(map[driver.MemberID]*Owner)
	for _, m := range v.Members {
		owners[m.ID] = openOwner(t, NewOwner(m.ID, OwnerConfig{}), v)
	}
	on := make(map[driver.MemberID]int)
	for i := range 50 {
		id := driver.Identity{Kind: "k", Name: fmt.Sprintf("grain-%d", i)}
		owner, _ := NewTable(v).Owner(SlotOf(id))
		on[activate(t, owners[owner.ID], 0, id).to]++
	}
	for _, m := range v.Members {
		if n := on[m.ID]; n < 1 || n > 10 {
			t.Errorf("%d of 50 identities on %s: %v", n, m.ID, on)
		}
	}
}

func TestOwnerKeepsNothingOfInventedKinds(t *testing.T) {
	o := newTestOwner(t, OwnerConfig{}, "h")
	for i := range 1000 {
		ask(o, 0, driver.Identity{Kind: fmt.Sprint("nonsense", i), Name: "x"})
	}
	if len(o.hosts)+len(o.turns) > 0 {
		t.Errorf("%d kinds, %d turns", len(o.hosts), len(o.turns))
	}
}

// Who is ahead of the owner is told at once where a grain is that the owner knows;
// only what the owner would have to decide about waits for the view.
func TestOwnerAnswersWhoIsAhead(t *testing.T) {
	o := NewOwner("o", OwnerConfig{})
	o.Step(0, ViewChanged{View: viewOf(10, "o")})
	ids := owned(o, 2)
	for _, id := range ids {
		o.Step(0, Received{From: "o", Message: &Promise{Term: 10, Empty: []Slot{SlotOf(id)}}})
	}
	answerSpawn(o, 0, theSent[*Spawn](t, ask(o, 0, ids[0])), Accepted, 0)
	got := o.Step(0, Resolve{Request: 100, Epoch: 11, Identity: ids[0]})
	expect(t, "a known grain", got, []Effect{Answer{Request: 100, Outcome: Found, Host: "o", Fence: fence(10, 1), Epoch: 10}})
	got = o.Step(0, Resolve{Request: 101, Epoch: 11, Identity: ids[1]})
	expect(t, "another", got, []Effect{Refresh{11}})
	got = o.Step(0, Resolve{Request: 102, Epoch: 11, Identity: ids[0], Suspect: fence(10, 1)})
	expect(t, "one that is suspected", got, []Effect{Refresh{11}})
}
