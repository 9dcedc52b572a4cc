package history

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// wrongRun is a run with a stale read, an overlap, faults, and texts that would be HTML if they were not escaped.
func wrongRun(t testing.TB) *History {
	h := with(Lease, script(t, Register, `
		c1 100-120 write <b>v @1.1
		c2 130-140 read @1.1 = <b>v
		c1 150-155 write w @1.2
		c3 160-165 read @1.2 = w
		c2 170-175 read @1.1 = <b>v
		c1 190-! write x
		c1 200-? write y
		c3 320-330 write z @1.3`))
	h.Turns = turns(t, "m1.1 1.1 101-119\nm2.1 1.2 151-154\nm1.1 1.1 171-174\nm1.2 1.3 321-329")
	h.Activations = []*Activation{
		{By: "m1.1", Kind: "K", Identity: "a", Member: "m1.1", Token: Token{1, 1}, Started: 90 * time.Millisecond, Stopped: Never},
		{By: "m2.1", Kind: "K", Identity: "a", Member: "m2.1", Token: Token{1, 2}, Started: 145 * time.Millisecond, Stopped: 250 * time.Millisecond},
		{By: "m1.2", Kind: "K", Identity: "a", Member: "m1.2", Token: Token{1, 3}, Started: 310 * time.Millisecond, Stopped: Never},
	}
	h.Faults = []*Fault{
		{Kind: "partition", Targets: []string{"m1.1"}, Text: "<script>alert(1)</script>", Begin: 125 * time.Millisecond, End: 180 * time.Millisecond},
		{Kind: Kill, Targets: []string{"m1.1"}, Begin: 280 * time.Millisecond, End: Never},
	}
	h.Audits = []*Audit{{Process: "m2.1", Name: "violations"}}
	ms := time.Millisecond
	h.Processes = []*Process{
		{Name: "m1.1", Pid: 1, Opened: 0, Closed: Never, Killed: 281 * ms},
		{Name: "m1.2", Pid: 4, Opened: 300 * ms, Closed: 400 * ms, Killed: Never},
		{Name: "m2.1", Pid: 2, Opened: 5 * ms, Closed: 400 * ms, Killed: Never},
		{Name: "c.1", Pid: 3, Opened: 50 * ms, Closed: 390 * ms, Killed: Never},
	}
	h.Last = 400 * ms
	h.Plans[0].Seed, h.Plans[0].Text = 42, "etcd, two members & <three> clients"
	return h
}

func TestPicture(t *testing.T) {
	h := wrongRun(t)
	v := Judge(h, Options{})
	if v.Passed() || len(v.Findings(Failure)) < 3 {
		t.Fatalf("%+v", v.Findings(Failure))
	}
	var page strings.Builder
	if err := v.Picture(&page, h); err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv("GRANARY_CHAOS_PICTURE"); path != "" { // to look at it
		if err := os.WriteFile(path, []byte(page.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{
		"FAILED", "seed 42", "two members &amp; &lt;three&gt; clients", "not linearizable", "overlap", "token went back", "partition",
		`class="bad edge"`, "activation on m1.1 (m1.1)", "srcdoc=", "jump to first error", `\u0026lt;b\u0026gt;v`, "render(data)", "worst unavailability",
	} {
		if !strings.Contains(page.String(), part) {
			t.Errorf("%q is not in the page", part)
		}
	}
	for _, part := range []string{"<script>alert", "<b>v", "http://", "https://", "ZgotmplZ"} {
		text := strings.ReplaceAll(page.String(), "http://www.w3.org/2000/svg", "") // porcupine's: a name, not an address
		if strings.Contains(text, part) {
			t.Errorf("%q is in the page", part)
		}
	}
	wellFormedCharts(t, page.String())
}

// wellFormedCharts reads each drawing as XML, in which a character that is not escaped would not pass.
func wellFormedCharts(t *testing.T, page string) {
	t.Helper()
	charts := 0
	for {
		from := strings.Index(page, `<svg class="wide"`)
		if from < 0 {
			break
		}
		to := from + strings.Index(page[from:], "</svg>") + len("</svg>")
		in := xml.NewDecoder(strings.NewReader(page[from:to]))
		in.Entity = xml.HTMLEntity
		for {
			if _, err := in.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("chart %d: %v", charts, err)
			}
		}
		page = page[to:]
		charts++
	}
	if charts < 4 {
		t.Errorf("%d charts, want the run and three findings", charts)
	}
}

// TestPictureIsBounded draws many operations and findings.
func TestPictureIsBounded(t *testing.T) {
	h := with(Strict, generate(1, Register, "a", 20, 3000, 3))
	for i, op := range h.Operations {
		op.Token = Token{1, uint64(3000 - i)}
	}
	v := Judge(h, Options{})
	var page strings.Builder
	if err := v.Picture(&page, h); err != nil {
		t.Fatal(err)
	}
	if n := page.Len(); n > 8<<20 || !strings.Contains(page.String(), "more of tokens") {
		t.Errorf("the page has %d bytes", n)
	}
}

// TestPictureOfNothing draws a history that has nothing.
func TestPictureOfNothing(t *testing.T) {
	h, err := readText("")
	if err != nil {
		t.Fatal(err)
	}
	if err := Judge(h, Options{}).Picture(io.Discard, h); err != nil {
		t.Error(err)
	}
}
