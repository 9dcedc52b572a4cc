package cluster

import (
	"crypto/rand"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// MaxIdentityLength bounds an identity, in bytes.
	MaxIdentityLength = driver.MaxIdentityLength
	// MaxKindLength bounds the name of a kind, in bytes.
	MaxKindLength = driver.MaxKindLength
)

// newIdentity checks both words. Any valid UTF-8 text within the limits is an
// identity, slashes, spaces and control characters included.
func newIdentity(identity, kind string) (driver.Identity, error) {
	if err := checkWord("identity", identity, MaxIdentityLength); err != nil {
		return driver.Identity{}, err
	}
	if err := checkKind(kind); err != nil {
		return driver.Identity{}, err
	}
	return driver.Identity{Kind: kind, Name: identity}, nil
}

func checkKind(kind string) error {
	if strings.Contains(kind, "/") {
		return fmt.Errorf("%w: kind %q holds a slash", ErrInvalidIdentity, kind)
	}
	return checkWord("kind", kind, MaxKindLength)
}

func checkWord(what, word string, limit int) error {
	switch {
	case word == "":
		return fmt.Errorf("%w: the %s is empty", ErrInvalidIdentity, what)
	case len(word) > limit:
		return fmt.Errorf("%w: the %s has %d bytes, the limit is %d", ErrInvalidIdentity, what, len(word), limit)
	case !utf8.ValidString(word):
		return fmt.Errorf("%w: the %s %q is not valid UTF-8", ErrInvalidIdentity, what, word)
	}
	return nil
}

// newMemberID draws 80 random bits.
func newMemberID() driver.MemberID { return driver.MemberID(rand.Text()[:16]) }

// activationID is the id of an activation's PID. It names the member and the
// activation, so that a message for an activation that is gone meets no
// process, whoever lives at the address now (rule 12).
func activationID(id driver.Identity, member driver.MemberID, f driver.Fence) string {
	return fmt.Sprintf("%s/%s@%s:%x.%x", id.Kind, id.Name, member, f.Term, f.Seq)
}
