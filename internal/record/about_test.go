package record

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// says adds what members say of themselves.
func (r Read) says(about map[driver.MemberID]About) Read {
	r.About = about
	return r
}

func TestEpochsGoOnFromWhatAnybodyHasSeen(t *testing.T) {
	seen := map[driver.MemberID]About{"b": {Seen: 70_000}, "c": {Seen: 1 << 61}} // the last is nonsense
	t.Run("in a new record", func(t *testing.T) {
		s := newScript(t, named("a"))
		absent := Read{Unix: 1000}.with("a b c").says(seen)
		s.do(absent, "held")
		s.ticks(ttl, "note founding", "write mine 0<70001: a b c.")
	})
	t.Run("by what it has seen itself", func(t *testing.T) {
		s := &script{t: t, machine: New(Config{Self: named("a"), Incarnation: "mine", FoundAfter: ttl, Seen: 80_000})}
		s.do(Read{Unix: 1000}.with("a"), "held")
		s.ticks(ttl, "note founding", "write mine 0<80001: a.")
	})
	t.Run("in an old record that is there again", func(t *testing.T) {
		s := newScript(t, named("a"))
		read := stored(5, "a").with("a b c").says(seen)
		s.do(read, "publish 5", "write old 5<70001: a b c.")
		read = stored(70_001, "a b c").with("a b c").says(seen)
		s.do(read, "publish 70001")
		s.do(read.change(func(r *Read) { r.Alive = all("a b") }), "write old 70001<70002: a b.")
	})
}

func TestLeaseTimesThatDiffer(t *testing.T) {
	about := map[driver.MemberID]About{"a": {TTL: ttl}, "b": {TTL: 3 * ttl}, "d": {TTL: ttl}}
	member := stored(5, "a").with("a b c d").says(about)
	old := newScript(t, named("a"))
	old.do(member, "publish 5", "write old 5<6: a c d.") // c says nothing
	newScript(t, named("b")).do(member, "refused: it asks for a lease time of 30 s, and a(a:1) for 10 s; give all members the same")
	t.Run("of newcomers the first is in, after the longest", func(t *testing.T) {
		s := newScript(t, named("a"))
		s.do(Read{Unix: 1000}.with("a b").says(about), "held: there is no view record; the cluster is founded when there has been none for the lease time of 30 s")
		s.ticks(3*ttl, "note founding", "write mine 0<1000: a.")
		newScript(t, named("b")).do(Read{Unix: 1000}.with("a b").says(about), "held: it asks for a lease time of 30 s")
	})
}
