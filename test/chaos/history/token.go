package history

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// Token is the fencing token of an activation; a driver.Fence converts to it. The zero token says that none was seen.
type Token driver.Fence

// Compare is negative, zero or positive as t is older than o, the same, or newer.
func (t Token) Compare(o Token) int { return driver.Fence(t).Compare(driver.Fence(o)) }

// IsZero reports whether no token was seen.
func (t Token) IsZero() bool { return t == Token{} }

// String gives term.seq in hexadecimal, as a PID's id has it but without leading zeros; "-" for the zero token.
func (t Token) String() string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%x.%x", t.Term, t.Seq)
}

// MarshalText writes term.seq.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText has written.
func (t *Token) UnmarshalText(text []byte) (err error) {
	*t, err = ParseToken(string(text))
	return err
}

// ParseToken reads term.seq in hexadecimal, with or without leading zeros; "" and "-" are the zero token.
func ParseToken(text string) (t Token, err error) {
	if text == "" || text == "-" {
		return t, nil
	}
	term, seq, ok := strings.Cut(text, ".")
	if t.Term, err = strconv.ParseUint(term, 16, 64); err == nil {
		t.Seq, err = strconv.ParseUint(seq, 16, 64)
	}
	if !ok || err != nil {
		return Token{}, fmt.Errorf("history: %q is no token: write term.seq in hexadecimal", text)
	}
	return t, nil
}
