package history

import (
	"errors"
	"time"
)

// A line is what stands in a file: who wrote it, and one of the others. By comes first, so that the beginning of a line can
// be found behind a torn one: these characters stand nowhere else, as quotation marks within texts are escaped.
type line struct {
	By string `json:"by"`
	// ID joins the line of a beginning with that of its end; it is the process's own.
	ID uint64 `json:"id,omitempty"`

	Opened *opened        `json:"opened,omitempty"`
	Closed *time.Duration `json:"closed,omitempty"`
	Killed *killed        `json:"killed,omitempty"`
	Plan   *Plan          `json:"plan,omitempty"`

	Begin *Operation `json:"begin,omitempty"`
	End   *ended     `json:"end,omitempty"`

	Turn       *Turn       `json:"turn,omitempty"`
	Activation *Activation `json:"activation,omitempty"`
	Fault      *Fault      `json:"fault,omitempty"`
	// Over ends a turn, an activation or a fault.
	Over *time.Duration `json:"over,omitempty"`

	Message *Message `json:"message,omitempty"`
	Gauge   *Gauge   `json:"gauge,omitempty"`
	Audit   *Audit   `json:"audit,omitempty"`
	Account *Account `json:"account,omitempty"`
}

const lineStart = `{"by":"`

type opened struct {
	Pid int           `json:"pid"`
	At  time.Duration `json:"at"`
}

type killed struct {
	Process string        `json:"process"`
	At      time.Duration `json:"at"`
}

// ended is what is known of an operation when it has ended.
type ended struct {
	At      time.Duration `json:"at"`
	Outcome Outcome       `json:"outcome"`
	Result  string        `json:"result,omitempty"`
	Token   Token         `json:"token,omitzero"`
	Error   string        `json:"error,omitempty"`
}

// check tells what a line lacks that a recorder would have written.
func (l *line) check() error {
	things := 0
	for _, there := range []bool{
		l.Opened != nil, l.Closed != nil, l.Killed != nil, l.Plan != nil, l.Begin != nil, l.End != nil, l.Turn != nil,
		l.Activation != nil, l.Fault != nil, l.Over != nil, l.Message != nil, l.Gauge != nil, l.Audit != nil, l.Account != nil,
	} {
		if there {
			things++
		}
	}
	needsID := l.Begin != nil || l.End != nil || l.Turn != nil || l.Activation != nil || l.Fault != nil || l.Over != nil
	switch {
	case l.By == "":
		return errors.New("nobody has written it (no by)")
	case things != 1:
		return errors.New("it is not one record")
	case needsID && l.ID == 0:
		return errors.New("it has no id")
	}
	return l.checkRecord()
}

func (l *line) checkRecord() error {
	switch {
	case l.Begin != nil && (l.Begin.Kind == "" || l.Begin.Identity == "" || l.Begin.Do == "" || l.Begin.Client == ""):
		return errors.New("an operation needs client, kind, identity and do")
	case l.Turn != nil && (l.Turn.Kind == "" || l.Turn.Identity == "" || l.Turn.Member == ""):
		return errors.New("a turn needs kind, identity and member")
	case l.Activation != nil && (l.Activation.Kind == "" || l.Activation.Identity == "" || l.Activation.Member == ""):
		return errors.New("an activation needs kind, identity and member")
	case l.Fault != nil && l.Fault.Kind == "":
		return errors.New("a fault needs a kind")
	case l.Message != nil:
		return l.Message.check()
	case l.Account != nil && (l.Account.Kind == "" || l.Account.Identity == ""):
		return errors.New("an account needs kind and identity")
	case l.Gauge != nil && (l.Gauge.Process == "" || l.Gauge.Mark == ""):
		return errors.New("a gauge needs process and mark")
	case l.Audit != nil && l.Audit.Name == "":
		return errors.New("a counter of an audit needs a name")
	case l.Killed != nil && l.Killed.Process == "":
		return errors.New("a process that was killed needs its name")
	}
	return nil
}

func (m *Message) check() error {
	switch {
	case m.Event != Sent && m.Event != Delivered && m.Event != Dead:
		return errors.New("a message was sent, delivered or dead: " + string(m.Event) + " is none of these")
	case m.From == "" || m.To == "":
		return errors.New("a message needs from and to")
	}
	return nil
}
