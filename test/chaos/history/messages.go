package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CheckMessages holds messages between actors to what package remote promises: those of one sender to one target arrive in the
// order in which they were sent, each at most once, with their content; each arrives or is a dead letter, and none is both.
//
// What has no fate is lost, but for these, which are counted:
//
//   - its sender's process was killed, and nobody was left to tell what became of it: no later one has arrived, or it was sent in the
//     last seconds;
//   - its receiver's process was killed after it was sent: it may have waited in a mailbox, and went with that. This is no
//     excuse if the same process has handled a later one of that sender.
//
// A dead letter whose reason says that nobody knows whether the message had arrived ([Message.Doubtful]) may have been delivered,
// too. It needs a cause: a run without any fault has none.
func CheckMessages(h *History, _ Options) Report {
	r := Report{Oracle: "messages"}
	pairs := map[pair]*traffic{}
	for _, m := range h.Messages {
		p := pair{m.From, m.To}
		if pairs[p] == nil {
			pairs[p] = &traffic{history: h, report: &r, pair: p, letters: map[uint64]*letter{}, wrong: map[string][]string{}}
		}
		pairs[p].happened(m)
		if r.countf(1, "%s", m.Event); m.Doubtful {
			r.countf(1, "dead letters of which nobody knows")
			if len(h.Faults) == 0 {
				pairs[p].findf("doubt without a fault", "%d", m.Number)
			}
		}
	}
	keys := make([]pair, 0, len(pairs))
	for p := range pairs {
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b pair) int { return strings.Compare(a.from+"\x00"+a.to, b.from+"\x00"+b.to) })
	for _, p := range keys {
		pairs[p].judge()
	}
	r.countf(int64(len(pairs)), "pairs of sender and target")
	return r
}

// pair is a sender and a target.
type pair struct{ from, to string }

// letter is one message.
type letter struct {
	sent, delivered, dead *Message
	doubtful              bool // a dead letter says that nobody knows
}

// traffic is the messages of a pair.
type traffic struct {
	history *History
	report  *Report
	pair    pair
	letters map[uint64]*letter

	highest *Message            // that was delivered
	wrong   map[string][]string // by rule: which, and how
}

func (t *traffic) findf(rule, format string, args ...any) {
	t.wrong[rule] = append(t.wrong[rule], fmt.Sprintf(format, args...))
}

// happened takes in the events of the pair in their order.
func (t *traffic) happened(m *Message) {
	l := t.letters[m.Number]
	if l == nil {
		l = new(letter)
		t.letters[m.Number] = l
	}
	switch m.Event {
	case Sent:
		if l.sent != nil {
			t.findf("malformed message", "%d was sent twice under one number", m.Number)
		}
		l.sent = m
	case Dead:
		if !m.Doubtful && l.dead != nil {
			t.findf("two fates", "%d is a dead letter twice: %s; %s", m.Number, l.dead.Reason, m.Reason)
		}
		if m.Doubtful {
			l.doubtful = true
		} else {
			l.dead = m
		}
	case Delivered:
		t.delivered(l, m)
	}
}

func (t *traffic) delivered(l *letter, m *Message) {
	switch {
	case l.delivered != nil:
		t.findf("delivered twice", "%d, by %s and by %s %v later", m.Number, l.delivered.By, m.By, m.At-l.delivered.At)
		return
	case t.highest != nil && m.Number < t.highest.Number:
		t.findf("out of order", "%d came %v after %d", m.Number, m.At-t.highest.At, t.highest.Number)
	default:
		t.highest = m
	}
	l.delivered = m
}

// judge looks at the fates.
func (t *traffic) judge() {
	numbers := sortedKeys(t.letters)
	var next *Message // the first that was delivered behind
	for _, n := range slices.Backward(numbers) {
		l := t.letters[n]
		t.fate(n, l, next)
		if l.delivered != nil {
			next = l.delivered
		}
	}
	for _, rule := range sortedKeys(t.wrong) {
		const few = 5
		all := t.wrong[rule]
		slices.Sort(all)
		text := fmt.Sprintf("%d messages from %s to %s: %s", len(all), t.pair.from, t.pair.to, strings.Join(all[:min(len(all), few)], "; "))
		if len(all) > few {
			text += "; …"
		}
		t.report.find(Finding{Rule: rule, Text: text})
	}
}

func (t *traffic) fate(n uint64, l *letter, next *Message) {
	switch {
	case l.sent == nil:
		t.findf("never sent", "%d", n)
		return
	case l.delivered != nil && l.delivered.Hash != l.sent.Hash:
		t.findf("another content", "%d", n)
	case l.delivered != nil && l.delivered.At < l.sent.At:
		t.findf("clock", "%d was delivered %v before it was sent: the processes do not share a clock", n, l.sent.At-l.delivered.At)
	}
	switch {
	case l.delivered != nil && l.dead != nil:
		t.findf("two fates", "%d was delivered, and is a dead letter: %s", n, l.dead.Reason)
	case l.delivered != nil || l.dead != nil || l.doubtful:
	case t.senderKilled(l.sent, next):
		t.report.countf(1, "without a fate, as their sender was killed")
	case t.receiverKilled(l.sent, next):
		t.report.countf(1, "without a fate, as their receiver was killed")
	default:
		t.findf("lost", "%d, sent at %.6f s", n, (l.sent.At - t.history.First).Seconds())
	}
}

// untold is how long before its end a process may not have told yet what became of a message: a connection that was lost leaves it in
// doubt for ten seconds.
const untold = 15 * time.Second

// senderKilled reports whether a message has no fate because its sender's process was killed: later ones had not arrived, or it was
// sent so late that it may have been in doubt.
func (t *traffic) senderKilled(sent, next *Message) bool {
	ended := t.history.ended(t.sender())
	return ended != Never && (next == nil || sent.At > ended-untold)
}

// sender is the name of the sender's process.
func (t *traffic) sender() string {
	process, _, _ := strings.Cut(t.pair.from, "/")
	return process
}

// ended is when a process had surely ended that did not by itself; Never if it did not.
func (h *History) ended(process string) time.Duration {
	for _, p := range h.Processes {
		switch {
		case p.Name != process:
		case p.Killed != Never:
			return p.Killed
		case p.Closed == Never:
			return h.Last // it crashed, which CheckProcesses tells
		}
	}
	return Never
}

// receiverKilled reports whether a message may have gone with a process of its target's member that was killed later, and not
// with the one that has handled the next message.
func (t *traffic) receiverKilled(sent, next *Message) bool {
	member, _, _ := strings.Cut(t.pair.to, "/")
	for _, p := range t.history.Processes {
		if p.Name != member && !strings.HasPrefix(p.Name, member+".") {
			continue
		}
		ended := t.history.ended(p.Name)
		if ended != Never && ended >= sent.At && (next == nil || p.Name != next.By && p.Opened < next.At) {
			return true
		}
	}
	return false
}
