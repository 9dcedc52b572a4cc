package history

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

//go:embed picture.html
var pictureText string

var pictureTemplate = template.Must(template.New("picture").Parse(pictureText))

// maxCharts bounds the findings that a picture shows beside the run as a whole.
const maxCharts = 6

// picture is what the template shows.
type picture struct {
	Word   string
	Plan   *Plan
	Charts []*chart
	Text   string
}

// Picture writes one page of HTML that shows the run: who lived when, what was broken, how calls fared; then the findings, the worst
// first, each with the operations, activations and turns of its identity, those that offend marked. Of a failure of
// linearizability it shows the shortest history that fails, and porcupine's own view of it. The page needs nothing else, no
// network either.
func (v *Verdict) Picture(w io.Writer, h *History) error {
	var text strings.Builder
	v.Print(&text)
	p := picture{Word: v.word(), Plan: v.Plan, Text: text.String(), Charts: []*chart{v.overview(h)}}
	for level := Failure; level <= Permitted; level++ {
		for _, f := range v.Findings(level) {
			if f.Identity == "" || len(p.Charts) > maxCharts {
				continue
			}
			p.Charts = append(p.Charts, v.incident(h, f))
		}
	}
	if err := pictureTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("history: picture: %w", err)
	}
	return nil
}

func (v *Verdict) word() string {
	return map[Level]string{Failure: "FAILED", Undecided: "UNDECIDED", Permitted: "passed"}[v.Level()]
}

// row is a line of a table of operations.
type row struct{ Who, From, To, What, Token, Call string }

func (v *Verdict) rows(f Finding) []row {
	var all []row
	if s := f.Shortest; s != nil {
		for _, c := range s.calls {
			all = append(all, v.row(c.Operation, c.String(), c.open))
		}
		return all
	}
	for _, op := range f.Operations {
		all = append(all, v.row(op, describe(op), false))
	}
	return all
}

func (v *Verdict) row(op *Operation, what string, open bool) row {
	r := row{Who: op.Client, From: v.moment(op.Start), To: v.moment(op.End), What: what, Token: op.Token.String(), Call: op.Call}
	if open {
		r.To, r.Token = "?", "-"
	}
	return r
}

// describe says what was done and what came of it, of an operation of any workload.
func describe(op *Operation) string {
	what := strings.TrimSpace(op.Do + " " + op.Argument)
	if op.Peer != "" {
		what += " to " + op.Peer
	}
	if op.Do == DoCAS {
		what = op.Do + " " + op.Expect + " → " + op.Argument
	}
	switch {
	case op.Outcome == OK && op.Result == "" && op.Do != DoRead:
		return what + ": ok"
	case op.Outcome == OK:
		return what + ": " + shortened(op.Result)
	case op.Error == "":
		return what + ": " + op.Outcome.String()
	}
	return what + ": " + op.Outcome.String() + ", " + op.Error
}

// numbered says which client has which number in porcupine's page.
func numbered(s *Shortest) string {
	names := map[string]bool{}
	for _, c := range s.calls {
		names[c.Client] = true
	}
	var all []string
	for i, name := range sortedKeys(names) {
		all = append(all, fmt.Sprintf("%d is %s", i, name))
	}
	return strings.Join(all, ", ")
}

// porcupine's page shows this many calls at most: of more it remembers too much.
const maxVisualized = 200

// porcupinePage gives an attribute with porcupine's page about the shortest history of a finding.
func porcupinePage(s *Shortest, h *History) template.HTMLAttr {
	if len(s.calls) > maxVisualized {
		return ""
	}
	model := s.sort.model(s.sort.step)
	model.DescribeState = func(state any) string { return html.EscapeString(s.sort.show(state)) } // the page takes it for HTML
	_, info := porcupine.CheckOperationsVerbose(model, operations(s.calls), 5*time.Second)
	from, to := window(s.Operations, nil)
	var notes []porcupine.Annotation
	for _, f := range h.Faults {
		if f.Begin <= to && f.End >= from {
			notes = append(notes, porcupine.Annotation{
				Tag: "faults", Start: int64(max(f.Begin, from)), End: int64(min(f.End, to)), Description: f.Kind, Details: f.title(),
			})
		}
	}
	info.AddAnnotations(notes)
	var page bytes.Buffer
	if err := porcupine.Visualize(model, info, &page); err != nil {
		return ""
	}
	// It is escaped; within the frame, a sandbox, it is porcupine's page, which has our texts as JSON without any character of HTML.
	return template.HTMLAttr(`srcdoc="` + html.EscapeString(page.String()) + `"`)
}

func (f *Fault) title() string {
	return strings.TrimSpace(f.Kind + " " + strings.Join(f.Targets, ", ") + " " + f.Text)
}
