package trio

import (
	"errors"
	"hash/fnv"
	"net"
	"net/rpc"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/granary-go/granary/bench/benchpb"
)

// mock is a cluster in name only: a client calls the member that a grain's name chooses, and the next one if it is not there.
type mock struct {
	members []*rpc.Client
}

// Call is what the client and its members say to each other.
type Call struct {
	Grain  string
	Data   []byte
	Member int
}

// Member is the other end.
type Member struct{ number int }

// Ask answers.
func (m *Member) Ask(in Call, out *Call) error {
	*out = in
	out.Member = m.number
	return nil
}

func (m *mock) Join(s Seat) error {
	server := rpc.NewServer()
	if err := server.Register(&Member{s.Number}); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Hosts[s.Number])
	if err == nil {
		go server.Accept(listener) // ends with the process
	}
	return err
}

func (*mock) Leave() error { return nil }

func (m *mock) Connect(s Seat) error {
	for _, host := range s.Hosts {
		c, err := rpc.Dial("tcp", host)
		if err != nil {
			return err
		}
		m.members = append(m.members, c)
	}
	return nil
}

func (*mock) Members() int { return Size }

func (m *mock) Ask(grain string, q *benchpb.Question) (*benchpb.Question, error) {
	h := fnv.New32()
	_, _ = h.Write([]byte(grain))
	var out Call
	var errs []error
	for i := range Size {
		err := m.members[(int(h.Sum32()%Size)+i)%Size].Call("Member.Ask", Call{Grain: grain, Data: q.GetData()}, &out)
		if err == nil {
			return Answer(&benchpb.Question{Data: out.Data}, out.Member), nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// lone has all grains on one member.
type lone struct{ mock }

func (l *lone) Ask(_ string, q *benchpb.Question) (*benchpb.Question, error) {
	return l.mock.Ask("", q)
}

// The members of a case are this program, too.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-member") {
		Main(func() Peer { return &mock{} })
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of the other processes: they end often
	os.Exit(m.Run())
}

func TestCases(t *testing.T) {
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			r, err := c.Run(&mock{}, 1200, nil)
			if err != nil || r.Ops != 1200 || c.Value(r) <= 0 || r.Errors > 0 || r.Worst <= 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestNoCluster(t *testing.T) {
	c, err := Find("grain64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(&lone{}, 100, nil); err == nil || !strings.Contains(err.Error(), "this is no cluster") {
		t.Errorf("one member has all grains: %v", err)
	}
	if _, err := c.Run(&mock{}, -1, nil); err == nil {
		t.Error("fewer operations than none")
	}
	if _, err := Find("grain65"); err == nil || !strings.Contains(err.Error(), `"grain64"`) {
		t.Errorf("an unknown case: %v", err)
	}
}
