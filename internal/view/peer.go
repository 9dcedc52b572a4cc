package view

import (
	"cmp"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// host is one configured entry.
type host struct {
	addresses []string
	resolved  bool
	failures  int
}

// settled reports whether the entry has been looked up, or could not be.
func (h *host) settled() bool { return h.resolved || h.failures >= 2 }

// peer is one address that is pinged.
type peer struct {
	// due is when it is pinged next.
	due Time
	// seq is the number of the regular ping that is under way; 0 if none.
	// Only regular pings count as missed.
	seq uint64
	// missed counts regular pings in a row that failed while nothing was
	// heard from the process that belongs here.
	missed int
	// newest is the highest number that was answered.
	newest uint64
	// heard is set once anything came back, and last is what, without its
	// view.
	heard bool
	last  Greeting
	// contact is when something was heard last, or when the address became
	// known.
	contact Time
	// why is how the last ping failed.
	why string
	// foreign is set while the process there belongs to another cluster.
	foreign bool
	// claim is the last newcomer that said it lives here.
	claim driver.MemberID
	// asked is the epoch that a ping was hurried for, so that a peer that
	// names an epoch and does not give the view is not asked in a loop.
	asked uint64
}

// answers reports whether the last ping was answered.
func (p *peer) answers() bool { return p != nil && p.heard && p.missed == 0 }

// learn makes an address known and gives its peer.
func (m *Machine) learn(address string) *peer {
	p := m.peers[address]
	if p == nil {
		m.forget()
		p = &peer{due: m.now, contact: m.now}
		m.peers[address] = p
	}
	return p
}

// forget makes room for one more address that was learnt.
func (m *Machine) forget() {
	var learnt []string
	for address := range m.peers {
		if !m.bound(address) {
			learnt = append(learnt, address)
		}
	}
	if len(learnt) < maxLearnt {
		return
	}
	silent := slices.MinFunc(learnt, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.peers[a].contact, m.peers[b].contact), cmp.Compare(a, b))
	})
	delete(m.peers, silent)
	m.emit(Forget{silent})
}

// bound reports whether an address is configured or in the view: it is never
// forgotten and always pinged at the full pace.
func (m *Machine) bound(address string) bool {
	_, member := m.view.at(address)
	return member || m.configured(address)
}

// configured reports whether an address belongs to a host of the list.
func (m *Machine) configured(address string) bool {
	for _, h := range m.hosts {
		if slices.Contains(h.addresses, address) {
			return true
		}
	}
	return false
}

// deadHost reports whether an address belongs to a host of the list of which
// no address answers.
func (m *Machine) deadHost(address string) bool {
	for _, h := range m.hosts {
		if slices.Contains(h.addresses, address) && !slices.ContainsFunc(h.addresses, func(a string) bool { return m.peers[a].answers() }) {
			return true
		}
	}
	return false
}

func (m *Machine) resolved(e Resolved) {
	h := m.hosts[e.Host]
	switch {
	case h == nil:
	case len(e.Addresses) == 0:
		// The addresses of an earlier look-up stay in use.
		h.failures++
	default:
		h.resolved, h.failures, h.addresses = true, 0, slices.Clone(e.Addresses)
		for _, address := range e.Addresses {
			m.learn(address)
		}
	}
}

// ping sends what is due.
func (m *Machine) ping() {
	var due []string
	for address, p := range m.peers {
		if p.seq == 0 && p.due <= m.now && m.pings(address) {
			due = append(due, address)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.peers[a].due, m.peers[b].due), cmp.Compare(a, b))
	})
	for _, address := range due {
		if !m.waits(address) {
			m.send(address, m.peers[address])
		}
	}
}

// waits reports whether a ping that is due has to wait until another one ends.
func (m *Machine) waits(address string) bool {
	return len(m.probes) >= maxProbes && !m.bound(address)
}

// outcome finds the peer that a ping went to. It is nil if the address has been
// forgotten since; what the ping may have left there is to be forgotten too.
func (m *Machine) outcome(address string, seq uint64) *peer {
	delete(m.probes, seq)
	p := m.peers[address]
	if p == nil {
		m.emit(Forget{address})
	}
	return p
}

// pings reports whether an address is pinged at all.
func (m *Machine) pings(address string) bool {
	if m.phase == Gone {
		_, waits := m.farewell[address]
		return waits
	}
	return true
}

// send sends a regular ping.
func (m *Machine) send(address string, p *peer) {
	behind := p.heard && p.last.Epoch < m.view.Epoch
	p.due = m.now + m.pace(address, p)
	p.seq = m.push(address, behind || m.phase == Gone)
	if !m.bound(address) {
		m.probes[p.seq] = struct{}{}
	}
}

// push sends a ping out of turn and gives its number. If it gets lost, nobody
// is blamed for it.
func (m *Machine) push(address string, withView bool) uint64 {
	m.seq++
	m.emit(Send{Address: address, Seq: m.seq, Greeting: m.greeting(withView)})
	return m.seq
}

// pace is the time until an address is pinged again.
func (m *Machine) pace(address string, p *peer) Time {
	_, member := m.view.at(address)
	switch {
	case m.hurried(), p.missed > 0 && !member && m.deadHost(address):
		// A dead host is pinged quickly, so that it hears of the view before
		// it makes one of its own, should it come to life. Where another
		// address of the same name answers, the host is there: it is bound to
		// one of its addresses, as localhost often is, or finds its way by
		// the name itself.
		return m.cfg.Quick
	case p.missed > m.cfg.Missed && !m.bound(address):
		return m.cfg.Interval << min(p.missed-m.cfg.Missed, 4)
	default:
		return m.cfg.Interval
	}
}

// hurried reports whether the member waits for something that only others can
// give: to be taken in, to be shown as leaving, or to be let go.
func (m *Machine) hurried() bool {
	mine, _ := m.view.Find(m.self.Member.ID)
	return m.phase != Joined || m.quitting || mine.Member.State != m.self.Member.State
}

// hurry asks for a ping at once, or as soon as the one under way has ended.
func (m *Machine) hurry(p *peer) { p.due = m.now }

// Wake gives the time of the next [Tick] that is wanted, and false if none is.
func (m *Machine) Wake() (Time, bool) {
	next, found := m.intake, m.intake > 0
	if until := m.listensUntil(); m.phase == Newcomer && m.now < until && (!found || until < next) {
		next, found = until, true
	}
	for address, p := range m.peers {
		if p.seq == 0 && (!found || p.due < next) && m.pings(address) && !m.waits(address) {
			next, found = p.due, true
		}
	}
	return next, found
}
