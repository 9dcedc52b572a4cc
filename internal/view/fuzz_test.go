package view

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// FuzzMachine plays peers that say whatever passes Validate, in any order.
// The machine must not panic, must answer every ping, and must keep to one
// direction of epochs.
func FuzzMachine(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03"))
	f.Add([]byte{3, 1, 0, 9, 3, 1, 9, 9, 3, 2, 0, 7, 5, 6, 6, 1, 1, 1, 8, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func() byte {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return b
		}
		names := []string{"a", "b", "c", "m", "n"}
		anEntry := func() Entry {
			b := next()
			e := entry(names[int(b)%len(names)])
			if b&64 != 0 {
				e.Ping = entry(names[int(b>>3)%len(names)]).Ping
			}
			if b&128 != 0 {
				e.Member.ID += "'"
			}
			e.Member.State = driver.State(b >> 5 & 1)
			return e
		}
		aGreeting := func() Greeting {
			b := next()
			g := Greeting{Cluster: "c", Sender: anEntry(), Phase: Phase(b % 4), Incarnation: "i", Epoch: uint64(next()) << 14, Dropped: b == 255}
			if b&16 != 0 {
				v := View{Incarnation: "i", Epoch: g.Epoch, Previous: uint64(next())}
				for range b >> 5 {
					v.Entries = append(v.Entries, anEntry())
				}
				g.View = &v
			}
			return g
		}
		s := newScript(t, "a", "b")
		epoch := uint64(0)
		for len(data) > 0 {
			g, address := aGreeting(), entry(names[int(next())%len(names)]).Ping
			seq := s.machine.seq - uint64(next()%3)
			var effects []Effect
			switch next() % 10 {
			case 0, 1, 2:
				if g.Validate() == nil {
					s.hear(g)
				}
			case 3, 4, 5:
				if g.Validate() == nil {
					effects = s.do(Answered{Address: address, Seq: seq, Greeting: g})
				}
			case 6:
				effects = s.do(Failed{Address: address, Seq: seq, Foreign: next() == 1, Dead: next() == 1})
			case 7:
				effects = s.do([]Event{Drain{}, Leave{}, Refresh{uint64(next()) << 14}}[next()%3])
			default:
				s.pass(Time(next()) * 50 * ms)
			}
			for _, e := range effects {
				if p, ok := e.(Publish); ok {
					if _, in := p.View.Find("m"); p.View.Epoch <= epoch || !in || p.View.Validate() != nil {
						t.Fatalf("published %+v after %d", p.View, epoch)
					}
					epoch = p.View.Epoch
				}
			}
		}
	})
}

func FuzzValidate(f *testing.F) {
	f.Add("c", "m", "m:1", "m:2", "k", uint64(1), uint8(0), uint32(0), 1)
	f.Add("", "", ":", "a:65536", "", ^uint64(0), uint8(9), uint32(1), 300)
	f.Fuzz(func(t *testing.T, cluster, id, address, ping, kind string, epoch uint64, phase uint8, version uint32, members int) {
		e := Entry{Ping: ping, Member: driver.Member{
			ID: driver.MemberID(id), Address: address, Kinds: []driver.Kind{{Name: kind}},
			Labels: map[string]string{kind: cluster}, State: driver.State(phase), Versions: driver.Versions{Max: version},
		}}
		v := View{Incarnation: cluster, Epoch: epoch}
		for range min(max(members, 0), 2*MaxMembers) {
			v.Entries = append(v.Entries, e)
		}
		g := Greeting{Cluster: cluster, Sender: e, Phase: Phase(phase), Incarnation: cluster, Epoch: epoch, View: &v}
		if g.Validate() != nil {
			return
		}
		if epoch == 0 || epoch>>idBits >= maxCount || len(v.Entries) > 1 || id == "" || len(id) > MaxText || phase > 2 {
			t.Errorf("accepted %+v", g)
		}
		if nextEpoch(epoch, 0, "m") <= epoch {
			t.Errorf("no room above epoch %d", epoch)
		}
	})
}
