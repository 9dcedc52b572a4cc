package view

import (
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// Config is what a machine is told when it is made.
type Config struct {
	Cluster string
	// Self is this process; its state is Active.
	Self Entry
	// Hosts are the configured hosts, each to be resolved by the shell.
	Hosts []string
	// Interval is the time between two pings of one address. While the member
	// is in no view, or waits for its departure to be noticed, it is shortened
	// to Quick if that is less.
	Interval, Quick Time
	// Missed is how many pings in a row must fail until a member is held for
	// lost. At least 2.
	Missed int
	// Incarnation is a random name, used if this machine makes the first
	// view.
	Incarnation string
	// Former is the newest view that this process was in under a former id; 0 if it was in none.
	Former uint64
	// UnixMilli is the wall clock when the machine's own clock showed Start.
	UnixMilli int64
	Start     Time
}

// Machine is one process's part in the membership. It is not safe for
// concurrent use.
type Machine struct {
	cfg  Config
	self Entry
	now  Time

	// phase is Newcomer, then Joined, then Gone.
	phase Phase
	// quitting is set from Leave on.
	quitting bool
	// left is set once Left has been said.
	left bool
	// view is the highest view that is known. It holds this member exactly
	// while phase is Joined.
	view View
	// dropped are ids that were in an earlier view and are not in this one,
	// the oldest first.
	dropped []driver.MemberID
	// member is the newest view that held this member, and own are the latest of those that came one of the other here, the
	// oldest first.
	member uint64
	own    []uint64
	// anew is the latest view that follows none, as far as the known one is known to come of it one by one: all terms here are at
	// least as high. 0 if that is not known. united is when this member last got such a view while it was in one.
	anew   uint64
	united Time
	// clash is set when somebody goes by another view of the same epoch.
	clash bool

	hosts map[string]*host
	peers map[string]*peer
	seq   uint64
	// probes are the regular pings under way to addresses that are not bound.
	probes map[uint64]struct{}
	// intake is when the coordinator next takes in newcomers; 0 when there
	// are none. A short wait lets those that start together come in together.
	intake Time
	// farewell holds the addresses that a departing coordinator has yet to
	// tell, with the number of tries that failed.
	farewell map[string]int
	// held is the last reason given for not being taken in.
	held string
	// rumour is when a ping last came from somebody who has a view.
	rumour Time
	// quiet is when a view that is too far ahead is next worth a warning.
	quiet Time

	out []Effect
}

// New makes the machine of a process that is in no view.
func New(c Config) *Machine {
	m := &Machine{cfg: c, self: c.Self, now: c.Start, hosts: make(map[string]*host), peers: make(map[string]*peer), probes: make(map[uint64]struct{})}
	m.cfg.Quick = min(c.Quick, c.Interval)
	m.cfg.Missed = max(c.Missed, 2)
	for _, name := range c.Hosts {
		m.hosts[name] = new(host)
	}
	return m
}

// Step takes one event. The clock it is given never goes back.
func (m *Machine) Step(now Time, e Event) []Effect {
	m.now = max(m.now, now)
	switch e := e.(type) {
	case Resolved:
		m.resolved(e)
	case Answered:
		m.answered(e)
	case Failed:
		m.failed(e)
	case Lost:
		m.lose(e.Address)
	case Drain:
		m.drain()
	case Leave:
		m.leave()
	case Refresh:
		m.refresh(e.Epoch)
	case Received:
		if !m.received(e.Greeting) {
			return m.take()
		}
	}
	m.bootstrap()
	m.coordinate()
	m.ping()
	if r, ok := e.(Received); ok {
		m.emit(Answer{m.reply(r.Greeting)})
	}
	return m.take()
}

// Former gives the newest view that this process was in as a member, under this id or, if it was in none, a former one.
func (m *Machine) Former() uint64 {
	if m.member != 0 {
		return m.member
	}
	return m.cfg.Former
}

// View gives the newest view that is known and whether this member is in it.
func (m *Machine) View() (View, bool) { return m.view, m.phase == Joined }

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) take() []Effect {
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) note(text string, args ...any) { m.emit(Note{Text: text, Args: args}) }
func (m *Machine) warn(text string, args ...any) { m.emit(Note{Warn: true, Text: text, Args: args}) }

// greeting is what this process says of itself. With the view when the other
// side is known to be behind.
func (m *Machine) greeting(withView bool) Greeting {
	g := Greeting{
		Cluster: m.cfg.Cluster, Sender: m.self, Phase: m.phase,
		Incarnation: m.view.Incarnation, Epoch: m.view.Epoch, Former: m.cfg.Former,
	}
	if m.quitting {
		g.Phase = Gone
	}
	if withView && m.view.Epoch > 0 {
		v := m.view
		g.View = &v
	}
	return g
}

func (m *Machine) reply(asker Greeting) Greeting {
	g := m.greeting(asker.Epoch < m.view.Epoch)
	if asker.Phase == Newcomer && asker.Sender.Member.ID != m.self.Member.ID {
		g.Dropped = slices.Contains(m.dropped, asker.Sender.Member.ID)
		g.Refusal = m.refusal(asker.Sender)
	}
	return g
}

// aheadPause is the time between two warnings of views that are too far ahead.
const aheadPause Time = 60e9

// offer takes note of a view that somebody else has.
func (m *Machine) offer(v View) {
	if v.Epoch <= m.view.Epoch {
		return
	}
	if m.ahead(v.Epoch) {
		if m.now >= m.quiet {
			m.quiet = m.now + aheadPause
			m.warn("ignored a view more than a year ahead of this process's clock; set the clocks", "epoch", v.Epoch, "members", len(v.Entries))
		}
		return
	}
	mine, in := v.Find(m.self.Member.ID)
	switch {
	case in && (mine.Ping != m.self.Ping || mine.Member.Address != m.self.Member.Address):
		m.warn("ignored a view that misplaces this member", "epoch", v.Epoch, "address", mine.Member.Address)
	case in && m.phase == Newcomer, in && m.phase == Joined && v.Incarnation == m.view.Incarnation:
		m.adopt(v)
		m.join()
	case m.phase == Joined:
		old := m.view.Entries
		m.adopt(v)
		m.remove("a higher view does not hold this member")
		m.passOn(old)
	default:
		m.adopt(v)
	}
}

func (m *Machine) adopt(v View) {
	if v.Incarnation == m.view.Incarnation {
		for _, e := range m.view.Entries {
			if _, still := v.Find(e.Member.ID); !still {
				m.dropped = append(m.dropped, e.Member.ID)
			}
		}
		m.dropped = m.dropped[max(0, len(m.dropped)-maxDropped):]
	}
	old := m.view
	m.view = v
	m.renewed(old)
	for _, e := range old.Entries {
		if _, still := v.at(e.Ping); !still && m.configured(e.Ping) {
			m.hurry(m.learn(e.Ping)) // from now on at the pace of a dead host
		}
	}
	for _, e := range v.Entries {
		if e.Member.ID == m.self.Member.ID {
			continue
		}
		p := m.learn(e.Ping)
		if _, known := old.Find(e.Member.ID); !known && (!p.heard || p.last.Sender.Member.ID != e.Member.ID) {
			// What was heard there was somebody else, or nobody, and says
			// nothing about the member that has come.
			*p = peer{due: m.now, seq: p.seq, newest: m.seq, contact: m.now}
		}
	}
}

// renewed takes note of whether the view follows the one that was known.
func (m *Machine) renewed(old View) {
	switch {
	case m.view.Previous == 0:
		m.anew = m.view.Epoch
		if m.phase == Joined {
			m.united = m.now
		}
	case m.view.Previous != old.Epoch || m.view.Incarnation != old.Incarnation:
		m.anew = 0
		// Nor is it known that what came after the view that it follows saw those that this member was in.
		m.own = m.own[:slices.Index(m.own, m.view.Previous)+1]
	}
}

// join hands over the view that is known, which holds this member.
func (m *Machine) join() {
	m.phase, m.member = Joined, m.view.Epoch
	m.own = append(m.own, m.view.Epoch)
	m.own = m.own[max(0, len(m.own)-maxOwn):]
	m.emit(Publish{m.view})
}

// passOn gives the view that removed this member to those it shared the last
// one with. They may have no other link to the members that made it: this
// process might then be taken in by the one side and removed by the other, life
// after life.
func (m *Machine) passOn(old []Entry) {
	for _, e := range old {
		if e.Member.ID != m.self.Member.ID {
			m.push(e.Ping, true)
		}
	}
}

// remove ends the membership against the member's will, or at its wish.
func (m *Machine) remove(why string) {
	m.phase = Gone
	if !m.quitting {
		m.warn("this member was removed from the view", "member", m.self.Member.ID, "epoch", m.view.Epoch, "reason", why)
	}
	m.emit(Removed{})
	if m.quitting && len(m.farewell) == 0 {
		m.farewellDone()
	}
}
