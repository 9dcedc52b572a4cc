package placement

// maxEarlyResolves bounds the resolves kept until the view they speak of
// arrives. They are counted apart from the others: an epoch that an asker
// made up must not take the place of those who ask by a real one.
const maxEarlyResolves = 4096

// waiter is a resolve. While it waits it is in one queue: of those who wait
// for a view, for a slot to open, or for a grant.
type waiter struct {
	Resolve
	// due is when it is answered Wait; it is set when it first waits, and
	// stays when it goes on to another queue.
	due Time
	// in is the queue that it waits in; nil before that and once answered.
	in *queue
}

type queue []*waiter

// take empties a queue for whoever answers its waiters or moves them.
func (q *queue) take() []*waiter {
	waiters := *q
	*q = nil
	return waiters
}

// wait puts a resolve in a queue. One that is new is answered Wait if too
// many are waiting.
func (o *Owner) wait(now Time, q *queue, w *waiter) []Effect {
	if w.in == nil {
		if o.full(q) {
			return o.answer(w, Wait)
		}
		w.due = now + o.cfg.Patience
		o.waiting++
		o.deadline(w)
	}
	w.in = q
	*q = append(*q, w)
	return nil
}

func (o *Owner) full(q *queue) bool {
	if q == &o.early {
		return len(o.early) >= maxEarlyResolves
	}
	return o.waiting-len(o.early) >= o.cfg.MaxWaiting
}

// deadline keeps the waiters in the order of their due times, which is the
// order in which they came. Those that have been answered are left in it
// until they come to the front or are the most of it.
func (o *Owner) deadline(w *waiter) {
	if len(o.deadlines) > 2*o.waiting+64 {
		kept := o.deadlines[:0]
		for _, d := range o.deadlines {
			if d.in != nil {
				kept = append(kept, d)
			}
		}
		clear(o.deadlines[len(kept):])
		o.deadlines = kept
	}
	o.deadlines = append(o.deadlines, w)
}

// expire answers those who have waited for as long as they may: they have
// given up, or ask again. What they waited for goes on.
func (o *Owner) expire(now Time) []Effect {
	var out []Effect
	for len(o.deadlines) > 0 {
		w := o.deadlines[0]
		if w.in != nil {
			if w.due > now {
				break
			}
			out = append(out, o.sweep(w.in, now)...)
		}
		o.deadlines[0] = nil
		o.deadlines = o.deadlines[1:]
	}
	return out
}

// sweep takes out of a queue all that are due.
func (o *Owner) sweep(q *queue, now Time) []Effect {
	var out []Effect
	kept := (*q)[:0]
	for _, w := range *q {
		if w.due <= now {
			out = append(out, o.answer(w, Wait)...)
		} else {
			kept = append(kept, w)
		}
	}
	clear((*q)[len(kept):])
	*q = kept
	return out
}

// dismiss answers all of a queue without an activation.
func (o *Owner) dismiss(q *queue, outcome Outcome) []Effect {
	var out []Effect
	for _, w := range q.take() {
		out = append(out, o.answer(w, outcome)...)
	}
	return out
}

func (o *Owner) answer(w *waiter, outcome Outcome) []Effect {
	o.answered(w)
	return []Effect{Answer{Request: w.Request, Outcome: outcome, Epoch: o.view.Epoch}}
}

func (o *Owner) found(g *grant, w *waiter) []Effect {
	o.answered(w)
	return []Effect{Answer{Request: w.Request, Outcome: Found, Host: g.host, Fence: g.fence, Epoch: o.view.Epoch}}
}

// answered ends the count of a waiter; its queue is emptied by the caller.
func (o *Owner) answered(w *waiter) {
	if w.in != nil {
		w.in = nil
		o.waiting--
	}
}
