package fleet

import (
	"fmt"
	"os"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// An Activation is what the id of a grain's PID says.
type Activation struct {
	Kind, Identity string
	Member         driver.MemberID
	Fence          driver.Fence
}

// String names the activation in errors.
func (a Activation) String() string {
	return fmt.Sprintf("%s/%s on %s, token %s", a.Kind, a.Identity, a.Member, a.Fence)
}

// ParseActivation reads kind/identity@member:term.seq. Neither the identity nor the kind may hold one of these signs.
func ParseActivation(id string) (a Activation, err error) {
	name, rest, _ := strings.Cut(id, "@")
	member, fence, _ := strings.Cut(rest, ":")
	if n, _ := fmt.Sscanf(fence, "%x.%x", &a.Fence.Term, &a.Fence.Seq); n != 2 || name == "" || member == "" {
		return a, fmt.Errorf("%q is no activation", id)
	}
	kind, identity, _ := strings.Cut(name, "/")
	a.Kind, a.Identity, a.Member = kind, identity, driver.MemberID(member)
	return a, nil
}

// Diary is a file that several processes append to. The kernel makes one order of what they write: a line that was
// written before another was begun stands before it.
type Diary struct{ file *os.File }

// OpenDiary opens a diary to write in, and makes it if it is not there.
func OpenDiary(path string) (*Diary, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &Diary{f}, err
}

// Write writes a line: the words with spaces between. It panics when it fails, which ends the process and so the test.
func (d *Diary) Write(words ...string) {
	if _, err := d.file.WriteString(strings.Join(words, " ") + "\n"); err != nil {
		panic(err)
	}
}

// Close closes the file.
func (d *Diary) Close() error { return d.file.Close() }
