package history

import (
	"fmt"
	"time"
)

// History is all that a run has recorded. Each slice is in the order of beginnings.
type History struct {
	Plans       []*Plan
	Processes   []*Process
	Operations  []*Operation
	Turns       []*Turn
	Activations []*Activation
	Messages    []*Message
	Faults      []*Fault
	Gauges      []*Gauge
	Audits      []*Audit
	Accounts    []*Account

	// Torn counts the lines that processes had begun to write when they were killed.
	Torn int
	// First and Last are the moments between which all of it lies.
	First, Last time.Duration
}

// builder puts lines together.
type builder struct {
	history   *History
	processes map[string]*Process
	torn      map[string]bool
	open      map[ref]any // *Operation, or the End of what goes on, *time.Duration
	killed    []killed
	texts     map[string]string // one of each name: millions of lines have the same few
}

// ref names what goes on: its process, and its number there.
type ref struct {
	by string
	id uint64
}

func newBuilder() *builder {
	return &builder{
		history: &History{First: Never}, processes: map[string]*Process{}, torn: map[string]bool{}, open: map[ref]any{},
		texts: map[string]string{},
	}
}

// saw widens the time of the history.
func (b *builder) saw(at time.Duration) {
	b.history.First, b.history.Last = min(b.history.First, at), max(b.history.Last, at)
}

// share puts texts that were read before in place of those that are equal.
func (b *builder) share(texts ...*string) {
	for _, t := range texts {
		one, ok := b.texts[*t]
		if !ok {
			b.texts[*t], one = *t, *t
		}
		*t = one
	}
}

// shareNames does so with the names of a line.
func (b *builder) shareNames(l *line) {
	b.share(&l.By)
	switch {
	case l.Begin != nil:
		b.share(&l.Begin.Client, &l.Begin.Workload, &l.Begin.Kind, &l.Begin.Identity, &l.Begin.Do)
	case l.End != nil:
		b.share(&l.End.Error)
	case l.Turn != nil:
		b.share(&l.Turn.Kind, &l.Turn.Identity, &l.Turn.Member)
	case l.Activation != nil:
		b.share(&l.Activation.Kind, &l.Activation.Identity, &l.Activation.Member)
	case l.Message != nil:
		b.share(&l.Message.From, &l.Message.To, &l.Message.Reason)
	}
}

// add takes in a line of which check has nothing to say.
func (b *builder) add(l *line) error {
	b.shareNames(l)
	if l.Opened != nil {
		return b.opened(l)
	}
	p := b.processes[l.By]
	switch {
	case p == nil:
		return fmt.Errorf("%s writes without having opened its record", l.By)
	case b.torn[l.By]:
		return fmt.Errorf("%s goes on behind a torn line", l.By)
	case p.Closed != Never:
		return fmt.Errorf("%s writes after it has closed its record", l.By)
	}
	switch {
	case l.Closed != nil:
		p.Closed = *l.Closed
		b.saw(p.Closed)
	case l.End != nil:
		return b.ended(l)
	case l.Over != nil:
		return b.over(l)
	case l.Begin != nil, l.Turn != nil, l.Activation != nil, l.Fault != nil:
		return b.begun(l)
	default:
		b.happened(l)
	}
	return nil
}

func (b *builder) opened(l *line) error {
	if b.processes[l.By] != nil {
		return fmt.Errorf("there are two processes of the name %s: give each life a name of its own", l.By)
	}
	p := &Process{Name: l.By, Pid: l.Opened.Pid, Opened: l.Opened.At, Closed: Never, Killed: Never}
	b.saw(p.Opened)
	b.processes[l.By] = p
	b.history.Processes = append(b.history.Processes, p)
	return nil
}

// begun takes in what has an end.
func (b *builder) begun(l *line) error {
	r := ref{l.By, l.ID}
	if _, taken := b.open[r]; taken {
		return fmt.Errorf("%s has begun two things of the id %d", l.By, l.ID)
	}
	switch h := b.history; {
	case l.Begin != nil:
		l.Begin.By, l.Begin.End = l.By, Never
		b.open[r] = l.Begin
		h.Operations = append(h.Operations, l.Begin)
		b.saw(l.Begin.Start)
	case l.Turn != nil:
		l.Turn.By, l.Turn.End = l.By, Never
		b.open[r] = &l.Turn.End
		h.Turns = append(h.Turns, l.Turn)
		b.saw(l.Turn.Begin)
	case l.Activation != nil:
		l.Activation.By, l.Activation.Stopped = l.By, Never
		b.open[r] = &l.Activation.Stopped
		h.Activations = append(h.Activations, l.Activation)
		b.saw(l.Activation.Started)
	case l.Fault != nil:
		l.Fault.By, l.Fault.End = l.By, Never
		b.open[r] = &l.Fault.End
		h.Faults = append(h.Faults, l.Fault)
		b.saw(l.Fault.Begin)
	}
	return nil
}

func (b *builder) ended(l *line) error {
	op, ok := b.open[ref{l.By, l.ID}].(*Operation)
	switch {
	case !ok || op.End != Never:
		return fmt.Errorf("%s ends an operation that is not under way, with the id %d", l.By, l.ID)
	case l.End.At < op.Start:
		return fmt.Errorf("%s ends the operation %d before it has begun it", l.By, l.ID)
	}
	e := l.End
	op.Result, op.Token, op.End, op.Outcome, op.Error = e.Result, e.Token, e.At, e.Outcome, e.Error
	b.saw(e.At)
	return nil
}

func (b *builder) over(l *line) error {
	end, ok := b.open[ref{l.By, l.ID}].(*time.Duration)
	if !ok || *end != Never {
		return fmt.Errorf("%s ends something that does not go on, with the id %d", l.By, l.ID)
	}
	*end = *l.Over
	b.saw(*end)
	return nil
}

// happened takes in what has no end.
func (b *builder) happened(l *line) {
	switch h := b.history; {
	case l.Killed != nil:
		b.killed = append(b.killed, *l.Killed)
		b.saw(l.Killed.At)
	case l.Plan != nil:
		h.Plans = append(h.Plans, l.Plan)
	case l.Message != nil:
		l.Message.By = l.By
		h.Messages = append(h.Messages, l.Message)
		b.saw(l.Message.At)
	case l.Gauge != nil:
		l.Gauge.By = l.By
		h.Gauges = append(h.Gauges, l.Gauge)
		b.saw(l.Gauge.At)
	case l.Audit != nil:
		l.Audit.By = l.By
		h.Audits = append(h.Audits, l.Audit)
		b.saw(l.Audit.At)
	case l.Account != nil:
		l.Account.By = l.By
		h.Accounts = append(h.Accounts, l.Account)
		b.saw(l.Account.At)
	}
}

// finish sorts, and puts those that were killed to their processes. One that was killed before it could record anything is
// not a process of the history.
func (b *builder) finish() *History {
	h := b.history
	for _, k := range b.killed {
		if p := b.processes[k.Process]; p != nil {
			p.Killed = min(p.Killed, k.At)
		}
	}
	by(h.Processes, func(p *Process) int64 { return int64(p.Opened) })
	by(h.Operations, func(o *Operation) int64 { return int64(o.Start) })
	by(h.Turns, func(t *Turn) int64 { return int64(t.Begin) })
	by(h.Activations, func(a *Activation) int64 { return int64(a.Started) })
	by(h.Messages, func(m *Message) int64 { return int64(m.At) })
	by(h.Faults, func(f *Fault) int64 { return int64(f.Begin) })
	by(h.Gauges, func(g *Gauge) int64 { return int64(g.At) })
	by(h.Audits, func(a *Audit) int64 { return int64(a.At) })
	by(h.Accounts, func(a *Account) int64 { return int64(a.At) })
	if h.First > h.Last {
		h.First = h.Last
	}
	return h
}
