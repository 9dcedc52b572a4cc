package cluster

// answers are the last ones of a grain that were given to calls with an id, in
// the order of the ring. It is used by the grain's turns only.
type answers struct {
	limit int
	byID  map[callKey]any
	ring  []callKey
	next  int
}

type callKey struct{ method, id string }

// find gives the answer that a call has had.
func (a *answers) find(key callKey) (any, bool) {
	if a.limit == 0 || key.id == "" {
		return nil, false
	}
	answer, known := a.byID[key]
	return answer, known
}

// keep remembers an answer, in place of the oldest if there is no more room.
func (a *answers) keep(key callKey, answer any) {
	if a.limit == 0 || key.id == "" {
		return
	}
	if ge, ok := answer.(*GrainError); ok && ge.Code == CodeCancelled {
		return
	}
	if a.byID == nil {
		a.byID = make(map[callKey]any)
	}
	if _, known := a.byID[key]; known {
		a.byID[key] = answer
		return
	}
	if len(a.ring) < a.limit {
		a.ring = append(a.ring, key)
	} else {
		delete(a.byID, a.ring[a.next])
		a.ring[a.next] = key
		a.next = (a.next + 1) % a.limit
	}
	a.byID[key] = answer
}
