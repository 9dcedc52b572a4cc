package pair

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/bench/benchpb"
)

// deaf is a peer whose messages do not all arrive.
type deaf struct{}

func (*deaf) Serve(int, func()) (string, error) { return "nowhere", nil }
func (*deaf) Connect(string, int) error         { return nil }
func (*deaf) Tell(int, *benchpb.Note) error     { return nil }
func (*deaf) Close()                            {}

func (*deaf) Ask(int, *benchpb.Question) (*benchpb.Question, error) { return &benchpb.Question{}, nil }

func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-serve") {
		Main(func() Peer { return &deaf{} })
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of the other processes: they end often
	os.Exit(m.Run())
}

func TestWhatIsLostFails(t *testing.T) {
	c, err := Find("ask1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(&deaf{}, 10); err == nil || !strings.Contains(err.Error(), "not what was asked") {
		t.Errorf("an answer without data: %v", err)
	}
	if c, err = Find("tell16"); err != nil {
		t.Fatal(err)
	}
	to, err := serve(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer to.child.Close()
	to.patience = 100 * time.Millisecond
	if _, err := to.run(&deaf{}, 10); err == nil || !strings.Contains(err.Error(), "messages are lost: 0 of 1024") {
		t.Errorf("messages that do not arrive: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	if _, err := Find("sell"); err == nil || !strings.Contains(err.Error(), `"tell16"`) {
		t.Errorf("an unknown case: %v", err)
	}
	if _, err := Cases[0].Run(&deaf{}, -1); err == nil {
		t.Error("fewer operations than none")
	}
}
