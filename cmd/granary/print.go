package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// printable quotes a text that would not show as it is: what others have named could
// hold anything, control characters of terminals too.
func printable(s string) string {
	if s != "" && !strings.ContainsFunc(s, unshown) {
		return s
	}
	return strconv.Quote(s)
}

func unshown(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// safe makes a text of several lines fit for a terminal.
func safe(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || !unshown(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// printJSON prints an answer, with all its fields.
func printJSON(out io.Writer, m proto.Message) error {
	data, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	return indented(out, data)
}

// indented prints JSON always the same way, as protojson does not on purpose.
func indented(out io.Writer, data []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(escaped(string(data))), "", "  "); err != nil {
		return fmt.Errorf("the member's answer is no JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := out.Write(b.Bytes())
	return err
}

// escaped lets JSON be shown on a terminal: what protojson leaves as it is inside of texts is
// written as \u there.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || !unshown(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// table prints columns. Its cells have been made printable.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintln(t.w, strings.Join(cells, "\t")) }

func (t table) end() error { return t.w.Flush() }

// tell names those who did not answer, and makes an error of them.
func tell(errs io.Writer, failures []*pb.Failure) error {
	if len(failures) == 0 {
		return nil
	}
	for _, f := range failures {
		fmt.Fprintf(errs, "granary: %s: %s\n", printable(called(f.GetMember())), safe(f.GetWhy()))
	}
	return exitError{fmt.Errorf("%d of those who were asked did not answer: the answer is not complete; a longer --timeout does not help, but asking again may",
		len(failures)), incomplete}
}

func called(m *pb.MemberRef) string {
	switch {
	case m.GetAddress() != "" && m.GetId() != "":
		return m.GetAddress() + " (" + m.GetId() + ")"
	case m.GetAddress() != "":
		return m.GetAddress()
	case m.GetId() != "":
		return m.GetId()
	default:
		return "somebody"
	}
}

// word names a value of an enum as people write it. One that this program does not know
// is a number.
func word(value fmt.Stringer, prefix string) string {
	text, ok := strings.CutPrefix(value.String(), prefix)
	if !ok {
		return strings.ToLower(strings.TrimSuffix(prefix, "_")) + " " + value.String()
	}
	return strings.ReplaceAll(strings.ToLower(text), "_", " ")
}

// number groups the digits of large ones.
func number[N int | int64 | uint32 | uint64](n N) string {
	text := fmt.Sprint(n)
	var groups []string
	for len(text) > 3 {
		groups = append(groups, text[len(text)-3:])
		text = text[:len(text)-3]
	}
	groups = append(groups, text)
	slices.Reverse(groups)
	return strings.Join(groups, ",")
}

func span(from, to int64) string {
	if from == 0 {
		return "?"
	}
	d := time.Duration(to - from)
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return d.Round(time.Minute).String()
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// compacted prints JSON as one line.
func compacted(out io.Writer, data []byte) error {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(escaped(string(data)))); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := out.Write(b.Bytes())
	return err
}
