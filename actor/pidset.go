package actor

// pidSet is a set of PIDs in the order in which they were added, as long as none
// was removed. The zero value is empty.
type pidSet struct {
	entries []pidEntry
	index   map[pidKey]int // positions in entries; nil while there are few
}

type pidEntry struct {
	key pidKey
	pid *PID
}

// indexFrom is the size from which a pidSet keeps an index.
const indexFrom = 16

func (s *pidSet) find(key pidKey) int {
	if s.index != nil {
		if i, ok := s.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range s.entries {
		if s.entries[i].key == key {
			return i
		}
	}
	return -1
}

// add reports whether pid was not in the set.
func (s *pidSet) add(key pidKey, pid *PID) bool {
	if s.find(key) >= 0 {
		return false
	}
	s.entries = append(s.entries, pidEntry{key, pid})
	switch {
	case s.index != nil:
		s.index[key] = len(s.entries) - 1
	case len(s.entries) >= indexFrom:
		s.index = make(map[pidKey]int, 2*indexFrom)
		for i := range s.entries {
			s.index[s.entries[i].key] = i
		}
	}
	return true
}

// put adds pid in the place of another one of the same key.
func (s *pidSet) put(key pidKey, pid *PID) {
	if !s.add(key, pid) {
		s.entries[s.find(key)].pid = pid
	}
}

// get returns the PID of key, or nil.
func (s *pidSet) get(key pidKey) *PID {
	if i := s.find(key); i >= 0 {
		return s.entries[i].pid
	}
	return nil
}

// remove reports whether key was in the set.
func (s *pidSet) remove(key pidKey) bool {
	i := s.find(key)
	if i < 0 {
		return false
	}
	last := len(s.entries) - 1
	s.entries[i] = s.entries[last]
	s.entries[last] = pidEntry{}
	s.entries = s.entries[:last]
	if s.index != nil {
		if i < last {
			s.index[s.entries[i].key] = i
		}
		delete(s.index, key)
	}
	if last == 0 {
		*s = pidSet{}
	}
	return true
}

func (s *pidSet) len() int { return len(s.entries) }

func (s *pidSet) list() []*PID {
	if len(s.entries) == 0 {
		return nil
	}
	pids := make([]*PID, len(s.entries))
	for i := range s.entries {
		pids[i] = s.entries[i].pid
	}
	return pids
}
