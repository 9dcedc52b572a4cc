package history

import "fmt"

// Outcome is what a client knows of an operation.
type Outcome uint8

// The zero outcome is Unknown: of what nothing was heard nothing is known.
const (
	Unknown Outcome = iota // may have run, or may yet run: open-ended
	OK                     // was answered
	Refused                // certainly did not run, and will not
)

var outcomes = [...]string{Unknown: "unknown", OK: "ok", Refused: "refused"}

// String gives the word that is written.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return fmt.Sprintf("outcome %d", o)
}

// MarshalText writes the word.
func (o Outcome) MarshalText() ([]byte, error) {
	if int(o) >= len(outcomes) {
		return nil, fmt.Errorf("history: there is no outcome %d", o)
	}
	return []byte(outcomes[o]), nil
}

// UnmarshalText reads the word.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, word := range outcomes {
		if word == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("history: %q is no outcome: use unknown, ok or refused", text)
}

// Mode is what a kind promises when the network splits; see docs/guides/guarantees.md.
type Mode string

// The modes. What best effort does not promise is counted and not judged.
const (
	BestEffort Mode = "best effort"
	Lease      Mode = "lease"
	Strict     Mode = "strict"
)

// Promises reports whether the mode promises one activation.
func (m Mode) Promises() bool { return m == Lease || m == Strict }
