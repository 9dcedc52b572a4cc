package directory

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// simStore is what driver.EntryStore asks for, in parts that lose their content
// apart from one another. The era record lies in the first.
type simStore struct {
	parts  [simParts]simPart
	record driver.Era
	down   Time // until when it does not answer
	old    [simParts]map[driver.Identity]driver.Entry
}

type simPart struct {
	mark    driver.EraID
	counter uint64
	entries map[driver.Identity]driver.Entry
}

func (s *simStore) empty() {
	s.record = driver.Era{}
	for i := range s.parts {
		s.parts[i] = simPart{entries: make(map[driver.Identity]driver.Entry)}
		s.old[i] = nil
	}
}

func (s *simStore) snapshot() {
	for i := range s.parts {
		s.old[i] = maps.Clone(s.parts[i].entries)
	}
}

// failover loses the last writes of a part, and with them its mark and its
// counter.
func (s *simStore) failover(i int) {
	s.parts[i] = simPart{entries: make(map[driver.Identity]driver.Entry)}
	maps.Copy(s.parts[i].entries, s.old[i])
}

func (s *simStore) part(id driver.Identity) *simPart { return &s.parts[int(id.Name[0])%simParts] }

func (s *simStore) read(id driver.Identity) (driver.Entry, bool) {
	return s.part(id).entries[id], true
}

func (s *simStore) entries() map[driver.Identity]driver.Entry {
	all := make(map[driver.Identity]driver.Entry)
	for i := range s.parts {
		maps.Copy(all, s.parts[i].entries)
	}
	return all
}

func (s *simStore) claim(e driver.Entry, over driver.Fence) (driver.Entry, Result) {
	part := s.part(e.Identity)
	if part.mark != e.Era {
		return driver.Entry{}, WrongEra
	}
	if there := part.entries[e.Identity]; !there.IsZero() && there.Token != over {
		return there, Claimed
	}
	part.counter++
	e.Token = driver.Fence{Term: e.Era.Number, Seq: part.counter}
	part.entries[e.Identity] = e
	return e, Done
}

func (s *simStore) restore(entries []driver.Entry) (kept []driver.Entry, r Result) {
	for _, e := range entries {
		part := s.part(e.Identity)
		if part.mark != e.Era {
			return kept, WrongEra
		}
		if there := part.entries[e.Identity]; there.Token.Compare(e.Token) > 0 {
			kept = append(kept, there)
			continue
		}
		part.entries[e.Identity] = e
	}
	return kept, Done
}

func (s *simStore) write(since, next driver.Era) Result {
	r := s.record
	if r.EraID != since.EraID || r.Open != since.Open || !slices.Equal(r.Joined, since.Joined) {
		return WrongEra
	}
	s.record = next
	if next.EraID != r.EraID {
		for i := range s.parts {
			if part := &s.parts[i]; part.mark.Number < next.Number {
				part.mark, part.counter = next.EraID, 0
			}
		}
	}
	return Done
}

// operate carries out an operation in the store. The request, or its answer, may
// be lost; a lost request may be carried out late, and one that was answered a
// second time, unless it writes the era.
func (s *sim) operate(p *simProc, e Effect) {
	ends := func(ev Event) { s.step(p, ev) }
	switch e := e.(type) {
	case Claim:
		operation(s, func() ClaimEnded {
			entry, result := s.store.claim(e.Entry, e.Over)
			s.note("%s claims %s over %v: %v %v by %s", p.id, e.Entry.Identity, e.Over, result, entry.Token, entry.Member)
			return ClaimEnded{e.Attempt, e.Entry.Identity, result, entry, ""}
		}, ClaimEnded{Attempt: e.Attempt, Identity: e.Entry.Identity, Result: Failed}, ends)
	case Release:
		operation(s, func() ReleaseEnded {
			part := s.store.part(e.Identity)
			if part.entries[e.Identity].Token == e.Token {
				delete(part.entries, e.Identity)
			}
			return ReleaseEnded{e.Identity, e.Token, Done}
		}, ReleaseEnded{e.Identity, e.Token, Failed}, ends)
	case Restore:
		operation(s, func() RestoreEnded {
			kept, result := s.store.restore(e.Entries)
			s.note("%s restores %d: %v", p.id, len(e.Entries), result)
			return RestoreEnded{result, kept}
		}, RestoreEnded{Result: Failed}, ends)
	case Remove:
		operation(s, func() Tick {
			for i := range s.store.parts {
				maps.DeleteFunc(s.store.parts[i].entries, func(_ driver.Identity, there driver.Entry) bool { return there.Member == e.Member })
			}
			return Tick{}
		}, Tick{}, ends)
	case ReadEra:
		operation(s, func() EraRead {
			return EraRead{Done, s.store.record, uint64((s.now+p.clock)/ms + 1_000_000)}
		}, EraRead{Result: Failed}, ends)
	case WriteEra:
		operation(s, func() EraWritten {
			result := s.store.write(e.Since, e.Next)
			s.note("%s writes the era %+v: %v", p.id, e.Next, result)
			return EraWritten{result}
		}, EraWritten{Failed}, ends)
	}
}

func operation[E Event](s *sim, carryOut func() E, failed E, ends func(Event)) {
	if s.now < s.store.down || s.chance(30) {
		if s.chance(300) {
			s.after(s.ms(3000), func() { carryOut() })
		}
		s.after(s.ms(200), func() { ends(failed) })
		return
	}
	s.after(s.ms(8), func() {
		ended := carryOut()
		if _, once := Event(failed).(EraWritten); !once && s.chance(20) {
			s.after(s.ms(3000), func() { carryOut() })
		}
		if s.chance(30) {
			s.after(s.ms(200), func() { ends(failed) })
			return
		}
		s.after(s.ms(8), func() { ends(ended) })
	})
}

// inStore reads, without the faults that only writes show.
func (s *sim) inStore(read func() (driver.Entry, bool), ends func(driver.Entry, bool)) {
	if s.now < s.store.down {
		s.after(s.ms(100), func() { ends(driver.Entry{}, false) })
		return
	}
	s.after(s.ms(8), func() {
		e, ok := read()
		s.after(s.ms(8), func() { ends(e, ok) })
	})
}
