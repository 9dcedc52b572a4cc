package history

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	openedLine = `{"by":"c.1","opened":{"pid":1,"at":5}}` + "\n"
	beginLine  = `{"by":"c.1","id":1,"begin":{"client":"c","workload":"register","kind":"K","identity":"a","do":"read","start":6}}` + "\n"
	endLine    = `{"by":"c.1","id":1,"end":{"at":7,"outcome":"ok","result":"x","token":"1.2"}}` + "\n"
	turnLine   = `{"by":"c.1","id":2,"turn":{"kind":"K","identity":"a","member":"m","token":"1.2","begin":6}}` + "\n"
	otherLine  = `{"by":"m.1","opened":{"pid":2,"at":5}}` + "\n"
	textLine   = `{"by":"c.1","audit":{"process":"p","name":"n","value":0,"at":6,"text":"{\"by\":\"x\""}}` + "\n"
)

func TestReadTorn(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		torn int
		ops  int
	}{
		"whole":                    {openedLine + beginLine + endLine, 0, 1},
		"empty":                    {"", 0, 0},
		"no end of the last line":  {openedLine + strings.TrimSuffix(beginLine, "\n"), 0, 1},
		"torn last line":           {openedLine + beginLine + endLine[:30], 1, 1},
		"torn after one character": {openedLine + beginLine + "{", 1, 1},
		"torn before another's":    {openedLine + beginLine + endLine[:30] + otherLine, 1, 1},
		"torn early, before":       {openedLine + beginLine + endLine[:3] + otherLine, 1, 1},
		"two torn before another's": {
			openedLine + otherLine + beginLine[:20] + otherLine[:12] + strings.ReplaceAll(otherLine, "m.1", "n.1"), 2, 0,
		},
		"a line's beginning within a text": {openedLine + textLine + beginLine, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "h")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			h, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if h.Torn != c.torn || len(h.Operations) != c.ops {
				t.Errorf("%d torn and %d operations, want %d and %d", h.Torn, len(h.Operations), c.torn, c.ops)
			}
		})
	}
}

func TestReadNonsense(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":                  {openedLine + "hello\n" + beginLine, ":2: this is no record"},
		"torn, and no line behind": {openedLine + beginLine[:30] + "\n", ":2: this is no record"},
		"torn, and goes on":        {openedLine + endLine[:30] + beginLine, ":2: c.1 goes on behind a torn line"},
		"two on a line":            {openedLine + strings.TrimSuffix(beginLine, "\n") + endLine, ":2: c.1 goes on behind a torn line"},
		"something behind":         {openedLine + strings.TrimSuffix(beginLine, "\n") + " 1\n", ":2: there is something behind"},
		"unknown field":            {`{"by":"c.1","other":1}` + "\n", ":1: this is no record"},
		"nobody":                   {`{"by":"","opened":{"pid":1,"at":5}}` + "\n", "nobody has written it"},
		"nothing":                  {`{"by":"c.1"}` + "\n", "not one record"},
		"two":                      {`{"by":"c.1","closed":1,"over":1}` + "\n", "not one record"},
		"no id":                    {openedLine + strings.Replace(beginLine, `"id":1,`, "", 1), ":2: it has no id"},
		"no identity":              {openedLine + strings.Replace(beginLine, `"identity":"a",`, "", 1), "needs client, kind"},
		"not opened":               {beginLine, ":1: c.1 writes without having opened"},
		"opened twice":             {openedLine + openedLine, ":2: there are two processes of the name c.1"},
		"closed and goes on":       {openedLine + `{"by":"c.1","closed":9}` + "\n" + beginLine, ":3: c.1 writes after it has closed"},
		"end without beginning":    {openedLine + endLine, ":2: c.1 ends an operation that is not under way"},
		"ended twice":              {openedLine + beginLine + endLine + endLine, ":4: c.1 ends an operation that is not"},
		"ends before it begins":    {openedLine + beginLine + strings.Replace(endLine, `"at":7`, `"at":5`, 1), ":3: c.1 ends the operation 1 before"},
		"one id for two":           {openedLine + beginLine + beginLine, ":3: c.1 has begun two things of the id 1"},
		"over without beginning":   {openedLine + `{"by":"c.1","id":2,"over":9}` + "\n", ":2: c.1 ends something that does not go on"},
		"over twice":               {openedLine + turnLine + strings.Repeat(`{"by":"c.1","id":2,"over":9}`+"\n", 2), ":4: c.1 ends something"},
		"no outcome":               {openedLine + beginLine + strings.Replace(endLine, `"ok"`, `"good"`, 1), `"good" is no outcome`},
		"no token":                 {openedLine + beginLine + strings.Replace(endLine, `"1.2"`, `"x"`, 1), `"x" is no token`},
		"turn of nobody":           {openedLine + strings.Replace(turnLine, `"member":"m",`, "", 1), "a turn needs"},
		"message of no event":      {openedLine + `{"by":"c.1","message":{"event":"x","from":"a","to":"b"}}` + "\n", "x is none of these"},
		"message to nobody":        {openedLine + `{"by":"c.1","message":{"event":"sent","from":"a"}}` + "\n", "needs from and to"},
		"account of nobody":        {openedLine + `{"by":"c.1","account":{"kind":"a"}}` + "\n", "needs kind and identity"},
		"gauge without mark":       {openedLine + `{"by":"c.1","gauge":{"process":"a"}}` + "\n", "needs process and mark"},
		"audit without name":       {openedLine + `{"by":"c.1","audit":{"process":"a"}}` + "\n", "needs a name"},
		"fault without kind":       {openedLine + `{"by":"c.1","id":7,"fault":{}}` + "\n", "needs a kind"},
		"activation of nobody":     {openedLine + `{"by":"c.1","id":7,"activation":{"kind":"a"}}` + "\n", "an activation needs"},
		"nobody was killed":        {openedLine + `{"by":"c.1","killed":{"at":5}}` + "\n", "needs its name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readText(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "history: text:") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("read a file that is not there")
	}
}

// readText reads a text as a file of the name text.
func readText(text string) (*History, error) {
	b := newBuilder()
	if err := b.read("text", strings.NewReader(text)); err != nil {
		return nil, err
	}
	return b.finish(), nil
}

// FuzzRead reads anything, and judges what could be read.
func FuzzRead(f *testing.F) {
	f.Add(openedLine + beginLine + endLine + turnLine + otherLine)
	f.Add(openedLine + beginLine[:40] + otherLine)
	f.Add(openedLine + `{"by":"c.1","plan":{"seed":1,"modes":{"K":"lease"}}}` + "\n" + beginLine)
	f.Add(openedLine + `{"by":"c.1","message":{"event":"dead","from":"c.1/a","to":"m/b","number":3,"hash":1,"at":9}}` + "\n")
	f.Add(openedLine + `{"by":"c.1","account":{"kind":"K","identity":"a","opening":1,"balance":2,"entries":[{"call":"x","amount":1}],"at":9}}` + "\n")
	f.Add(openedLine + `{"by":"c.1","gauge":{"process":"m","mark":"1","at":9,"heap":1,"goroutines":-1}}` + "\n" + `{"by":"c.1","killed":{"process":"c.1","at":-1}}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := readText(text)
		if err != nil {
			return
		}
		var out strings.Builder
		Judge(h, Options{Timeout: 1e8, ShortenFor: 1e8}).Print(&out)
		if out.Len() == 0 {
			t.Error("nothing was printed")
		}
	})
}
