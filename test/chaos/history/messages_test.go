package history

import (
	"strings"
	"testing"
	"time"
)

// mail makes the messages of s.1/a to r/b, one event each word: S sent, D delivered by r.1, E by r.2, X dead, ? dead and doubtful,
// with a number. Lower case d is delivered with another content. Each word is a millisecond later.
func mail(t *testing.T, words string) []*Message {
	t.Helper()
	var all []*Message
	for i, word := range strings.Fields(words) {
		m := &Message{By: "s.1", From: "s.1/a", To: "r/b", At: time.Duration(i+1) * time.Millisecond, Hash: 7}
		m.Number = uint64(at(t, word[1:]) / time.Millisecond)
		switch word[0] {
		case 'S':
			m.Event = Sent
		case 'D':
			m.Event, m.By = Delivered, "r.1"
		case 'd':
			m.Event, m.By, m.Hash = Delivered, "r.1", 8
		case 'E':
			m.Event, m.By = Delivered, "r.2"
		case 'X':
			m.Event, m.Reason = Dead, "gone"
		case '?':
			m.Event, m.Doubtful = Dead, true
		default:
			t.Fatalf("word %q", word)
		}
		all = append(all, m)
	}
	return all
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name, words, killed string // killed: process@millisecond
		rule                string
	}{
		{"delivered", "S1 S2 D1 D2", "", ""},
		{"dead", "S1 S2 D1 X2", "", ""},
		{"dead before", "S1 S2 D2 X1", "", ""},
		{"lost", "S1 S2 D1", "", "lost"},
		{"lost before another", "S1 S2 D2", "", "lost"},
		{"twice", "S1 D1 D01", "", "delivered twice"},
		{"out of order", "S1 S2 D2 D1", "", "out of order"},
		{"dead and delivered", "S1 X1 D1", "", "two fates"},
		{"dead twice", "S1 X1 X01", "", "two fates"},
		{"another content", "S1 d1", "", "another content"},
		{"never sent", "S1 D1 D2", "", "never sent"},
		{"never sent, dead", "S1 D1 X2", "", "never sent"},
		{"before it was sent", "D1 S1", "", "clock"},
		{"sent twice", "S1 S01 D1", "", "malformed message"},
		{"doubtful", "S1 ?1", "r.1@9", ""},
		{"doubtful and delivered", "S1 D1 ?1", "r.1@9", ""},
		{"doubtful and dead at the receiver", "S1 X1 ?1", "r.1@9", ""},
		{"doubtful without a fault", "S1 ?1", "", "doubt without a fault"},
		{"sender killed", "S1 S2 D1", "s.1@9", ""},
		{"sender killed soon after", "S1 S2 D2", "s.1@9", ""},
		{"sender killed long after, and a later one has arrived", "S1 S2 D2", "s.1@20000", "lost"},
		{"sender killed long after, and none has arrived", "S1 S2", "s.1@20000", ""},
		{"another killed", "S1 S2 D1", "x.1@9", "lost"},
		{"receiver killed later", "S1 S2 D1", "r.1@9", ""},
		{"receiver killed before", "S1 D1 S2", "r.1@2", "lost"},
		{"receiver killed, which has handled a later one", "S1 S2 D2", "r.1@9", "lost"},
		{"receiver killed, and its successor goes on", "S1 S2 S3 D1 E3", "r.1@5", ""},
		{"receiver killed, and its successor loses one", "S1 S2 S3 E1 E3", "r.1@1", "lost"},
		{"twice, by two lives", "S1 D1 E1", "r.1@2", "delivered twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &History{Messages: mail(t, c.words), Last: time.Second}
			for i, name := range []string{"s.1", "r.1", "r.2", "x.1"} {
				h.Processes = append(h.Processes, &Process{Name: name, Opened: time.Duration(i), Closed: time.Second, Killed: Never})
			}
			if who, when, ok := strings.Cut(c.killed, "@"); ok {
				for _, p := range h.Processes {
					if p.Name == who {
						p.Killed, p.Closed = at(t, when), Never
					}
				}
				h.Faults = append(h.Faults, &Fault{Kind: Kill, Targets: []string{who}})
			}
			expect(t, CheckMessages(h, Options{}), c.rule, Failure)
		})
	}
}
