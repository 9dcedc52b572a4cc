package history

import (
	"errors"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

// TestRecordAndRead writes one record of each sort, in two processes that share a file, and reads them back.
func TestRecordAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	r, err := Open(path, "c1.1")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(path, "m1.1", WithOffset(0))
	if err != nil {
		t.Fatal(err)
	}
	token := Token{Term: 0x1a2, Seq: 3}
	r.Plan(Plan{Seed: 7, Text: "three members", Modes: map[string]Mode{"Cell": Strict}})
	fault := r.Fault(Fault{Kind: Pause, Targets: []string{"m1.1"}, Text: "SIGSTOP"})
	call := r.Begin(Operation{Client: "c1", Workload: Register, Kind: "Cell", Identity: "ä", Do: DoWrite, Argument: "17", Call: "c1-1"})
	started := m.Activation(Activation{Kind: "Cell", Identity: "ä", Member: "M", Token: token})
	turn := m.Turn(Turn{Kind: "Cell", Identity: "ä", Member: "M", Token: token, Sent: r.Now()})
	turn.End()
	started.End()
	call.OK("", token)
	r.Begin(Operation{Client: "c1", Workload: Register, Kind: "Cell", Identity: "ä", Do: DoRead}).Refused(errors.New("no"))
	r.Begin(Operation{Client: "c1", Workload: Register, Kind: "Cell", Identity: "ä", Do: DoRead}).Unknown(errors.New("who knows"))
	r.Begin(Operation{Client: "c1", Workload: Register, Kind: "Cell", Identity: "ä", Do: DoRead})
	fault.End()
	m.Message(Message{Event: Dead, From: "m1.1/a", To: "m2/b", Number: 1, Hash: 1 << 63, Doubtful: true, Reason: "lost"})
	r.Gauge(Gauge{Process: "m1.1", Mark: "1", After: true, Heap: 5, Goroutines: 4, Descriptors: 3, Connections: 2})
	r.Audit(Audit{Process: "m1.1", Name: "violations", Value: 1, Text: "one"})
	r.Account(Account{Kind: "Account", Identity: "x", Opening: 5, Balance: 3, Entries: []Entry{{"t", -2}}})
	r.Killed("m1.1")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Operations) != 4 || h.Torn != 0 || h.Mode("Cell") != Strict || h.First >= h.Last {
		t.Fatalf("read %+v", h)
	}
	for i, want := range []Outcome{OK, Refused, Unknown, Unknown} {
		if op := h.Operations[i]; op.Outcome != want || op.By != "c1.1" || op.Identity != "ä" || (op.End == Never) != (i == 3) {
			t.Errorf("operation %d is %+v, want %s", i, op, want)
		}
	}
	if op := h.Operations[0]; op.Token != token || op.End < op.Start || op.Start == 0 || h.Operations[1].Error != "no" {
		t.Errorf("operations are %+v, %+v", op, h.Operations[1])
	}
	if turn := h.Turns[0]; turn.By != "m1.1" || turn.End < turn.Begin || turn.Sent > turn.Begin || turn.Sent < h.First {
		t.Errorf("turn is %+v", turn)
	}
	if a := h.Activations[0]; a.Stopped < h.Turns[0].End || a.Stopped == Never {
		t.Errorf("activation is %+v", a)
	}
	if f := h.Faults[0]; f.End < f.Begin || f.End == Never || !reflect.DeepEqual(f.Targets, []string{"m1.1"}) {
		t.Errorf("fault is %+v", f)
	}
	if p := h.Processes; len(p) != 2 || p[0].Closed == Never || p[0].Killed != Never || p[1].Killed == Never || p[1].Closed != Never {
		t.Errorf("processes are %+v, %+v", p[0], p[1])
	}
	if len(h.Messages)+len(h.Gauges)+len(h.Audits)+len(h.Accounts) != 4 || !h.Messages[0].Doubtful || h.Messages[0].Hash != 1<<63 {
		t.Errorf("read %+v", h)
	}
}

// TestRecorderTogether has several goroutines write at the same time.
func TestRecorderTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	r, err := Open(path, "c1.1")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				r.Begin(Operation{Client: "c", Kind: "K", Identity: "a", Do: DoRead}).OK("", Token{})
			}
		})
	}
	all.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Read(path)
	if err != nil || len(h.Operations) != 800 {
		t.Fatalf("read %+v, %v, want 800 operations", h, err)
	}
}

func TestRecorderPanics(t *testing.T) {
	for name, f := range map[string]func(*Recorder){
		"write fails": func(r *Recorder) { _ = r.Close(); r.Audit(Audit{Name: "x"}) },
		"no identity": func(r *Recorder) { r.Begin(Operation{Client: "c", Kind: "K", Do: DoRead}) },
		"no event":    func(r *Recorder) { r.Message(Message{From: "a", To: "b"}) },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(filepath.Join(t.TempDir(), "h"), "c1.1")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			f(r)
		})
	}
}

func TestOpenFails(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "h"), ""); err == nil {
		t.Error("opened without a name")
	}
	if _, err := Open(t.TempDir(), "c1.1"); err == nil {
		t.Error("opened a folder")
	}
}

func TestOffset(t *testing.T) {
	if d, err := Offset(); err != nil {
		t.Errorf("Offset: %v, %v", d, err)
	}
	for text, want := range map[string]time.Duration{
		"":                                  0,
		"monotonic 0 0\n":                   0,
		"monotonic -5 5\n":                  -5*time.Second + 5,
		"monotonic 86400 0\nboottime 3 0\n": 24 * time.Hour,
	} {
		if d, err := parseOffset(text); d != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"monotonic 5\n", "monotonic x 0\n"} {
		if _, err := parseOffset(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestToken(t *testing.T) {
	for _, c := range []struct {
		text string
		want Token
		bad  bool
	}{
		{"000001a213d39ef5.0000000000000001", Token{0x1a213d39ef5, 1}, false},
		{"1f.2", Token{0x1f, 2}, false},
		{"-", Token{}, false},
		{"1f", Token{}, true},
		{"x.1", Token{}, true},
		{"1.", Token{}, true},
	} {
		got, err := ParseToken(c.text)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
		if again, err := ParseToken(got.String()); again != got || err != nil {
			t.Errorf("%q: %v, %v, want %v", got.String(), again, err, got)
		}
	}
}
