package view

// received takes a peer's ping. It reports whether the ping is to be answered;
// if not it has been refused.
func (m *Machine) received(g Greeting) bool {
	if g.Cluster != m.cfg.Cluster {
		m.emit(Refuse{Why: "this process belongs to cluster \"" + m.cfg.Cluster + "\", not to \"" + g.Cluster + "\""})
		return false
	}
	id, address := g.Sender.Member.ID, g.Sender.Ping
	if id == m.self.Member.ID || address == m.self.Ping {
		return true
	}
	p := m.learn(address)
	m.hear(g)
	if known, in := m.view.Find(id); in && known.Ping == address && (!p.heard || p.last.Sender.Member.ID == id) {
		m.contact(p, g)
	} else if !p.answers() || p.last.Sender.Member.ID != id {
		// Whoever is where it says it is will answer there. That nobody did
		// before says nothing about a process that has just come.
		if _, taken := m.view.at(address); !taken && p.claim != id {
			p.claim, p.missed, p.seq = id, 0, 0
		}
		m.hurry(p)
	}
	if g.Phase == Joined {
		m.rumour = m.now
	}
	m.catchUp(p, g)
	return true
}

// answered takes the answer to a ping.
func (m *Machine) answered(e Answered) {
	p, g := m.outcome(e.Address, e.Seq), e.Greeting
	if p == nil {
		return
	}
	if g.Cluster != m.cfg.Cluster {
		m.failed(Failed{Address: e.Address, Seq: e.Seq, Foreign: true, Why: "it belongs to cluster \"" + g.Cluster + "\""})
		return
	}
	if p.seq == e.Seq {
		p.seq = 0
	}
	if e.Seq <= p.newest {
		return
	}
	p.newest = e.Seq
	if g.Sender.Member.ID == m.self.Member.ID {
		m.contact(p, g)
		return
	}
	m.hear(g)
	if known, in := m.view.at(e.Address); in && known.Member.ID != g.Sender.Member.ID && g.Sender.Ping != e.Address {
		// Somebody else answers there, but does not live there: that says
		// nothing about the member that should have.
		p.missed++
		p.why = "answered by " + g.Sender.Member.String()
	} else {
		m.contact(p, g)
	}
	if g.Sender.Ping != e.Address && g.Sender.Ping != m.self.Ping {
		m.alias(g)
	}
	m.catchUp(p, g)
	m.welcome(p)
	m.heed(g)
	m.told(e.Address, g)
}

// alias takes the words of a process that was reached at an address which is
// not its own, for example at a configured host name.
func (m *Machine) alias(g Greeting) {
	p := m.learn(g.Sender.Ping)
	if known, in := m.view.Find(g.Sender.Member.ID); in && known.Ping == g.Sender.Ping && p.heard && p.last.Sender.Member.ID == g.Sender.Member.ID {
		m.contact(p, g)
	}
}

// contact notes that the process that belongs to an address is alive.
func (m *Machine) contact(p *peer, g Greeting) {
	g.View = nil
	p.heard, p.last, p.missed, p.contact, p.why, p.foreign = true, g, 0, m.now, "", false
}

// hear takes what a greeting says about views.
func (m *Machine) hear(g Greeting) {
	if g.View != nil {
		m.offer(*g.View)
	}
	if m.phase != Joined || g.Phase != Joined || g.Epoch != m.view.Epoch {
		return
	}
	if _, in := m.view.Find(g.Sender.Member.ID); !in || g.Incarnation != m.view.Incarnation {
		m.clash = true
	}
}

// catchUp asks a peer at once for the view that it has and we do not.
func (m *Machine) catchUp(p *peer, g Greeting) {
	if g.Epoch > m.view.Epoch && g.Epoch > p.asked {
		p.asked = g.Epoch
		m.hurry(p)
	}
}

// heed takes what a coordinator says to a newcomer.
func (m *Machine) heed(g Greeting) {
	switch {
	case m.phase != Newcomer:
	case g.Dropped:
		m.remove("it was dropped from the view before it learnt that it was in")
	case g.Refusal != "" && g.Refusal != m.held:
		m.held = g.Refusal
		m.emit(Held{Why: g.Refusal})
	case g.Refusal == "" && len(m.view.Entries) > 0 && m.view.Entries[0].Member.ID == g.Sender.Member.ID:
		m.held = ""
	}
}

func (m *Machine) failed(e Failed) {
	p := m.outcome(e.Address, e.Seq)
	if p == nil {
		return
	}
	if p.seq == e.Seq {
		p.seq = 0
		p.missed++
		p.why = e.Why
		if _, member := m.view.at(e.Address); e.Dead && member && p.missed < m.cfg.Missed {
			p.due = min(p.due, m.now+m.cfg.Quick)
		}
	}
	if e.Foreign && !p.foreign {
		p.foreign = true
		m.warn("a host belongs to another cluster", "host", e.Address, "reason", e.Why)
	}
	if tries, waits := m.farewell[e.Address]; waits && m.phase == Gone {
		m.farewell[e.Address] = tries + 1
		if tries+1 >= 2 {
			m.farewellTo(e.Address)
		}
	}
}

// lose has a member pinged at once whose connection was ended, unless a ping is under way
// or it is known to be silent.
func (m *Machine) lose(address string) {
	p := m.peers[address]
	if _, member := m.view.at(address); member && p != nil && p.seq == 0 && p.missed == 0 && m.phase == Joined {
		m.hurry(p)
	}
}

func (m *Machine) refresh(epoch uint64) {
	if epoch <= m.view.Epoch || m.phase != Joined {
		return
	}
	c := m.coordinator()
	self := m.self.Member.ID
	for _, e := range m.view.Entries {
		if id := e.Member.ID; id != self && (c == self || c == id) {
			m.hurry(m.learn(e.Ping))
		}
	}
}
