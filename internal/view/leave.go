package view

import "github.com/granary-go/granary/cluster/driver"

func (m *Machine) drain() {
	if m.self.Member.State == driver.Leaving {
		return
	}
	m.self.Member.State = driver.Leaving
	m.tell()
}

func (m *Machine) leave() {
	m.self.Member.State = driver.Leaving
	if m.left || m.quitting && m.phase == Joined || len(m.farewell) > 0 {
		return
	}
	m.quitting = true
	if m.phase == Joined {
		m.tell()
		return
	}
	// Who is in no view has nobody to tell.
	m.phase = Gone
	m.farewellDone()
}

// tell hurries to the coordinator what this
// member has to say. If this member is the coordinator, coordinate does it.
func (m *Machine) tell() {
	c := m.coordinator()
	if e, in := m.view.Find(c); in && m.phase == Joined && c != m.self.Member.ID {
		m.hurry(m.learn(e.Ping))
	}
}

// depart is what a coordinator does that has made a view without itself: it
// tells everybody who may be there.
func (m *Machine) depart() {
	m.farewell = make(map[string]int)
	for _, e := range m.view.Entries {
		m.farewell[e.Ping] = 0
	}
	m.remove("it left")
	for _, e := range m.view.Entries {
		m.send(e.Ping, m.learn(e.Ping))
	}
}

// told notes that a peer has the departing coordinator's view, or a higher
// one.
func (m *Machine) told(address string, g Greeting) {
	if _, waits := m.farewell[address]; waits && g.Epoch >= m.view.Epoch {
		m.farewellTo(address)
	}
}

func (m *Machine) farewellTo(address string) {
	delete(m.farewell, address)
	if len(m.farewell) == 0 {
		m.farewellDone()
	}
}

func (m *Machine) farewellDone() {
	if !m.left {
		m.left = true
		m.emit(Left{})
	}
}
