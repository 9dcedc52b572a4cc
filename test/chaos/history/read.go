package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// maxLine bounds a line, in bytes.
const maxLine = 64 << 20

// Read reads the files of a run. What a process that was killed had begun to write, a torn line, is left out and counted in
// [History.Torn]: it is the last line of the process, and in a shared file another's line may follow it at once. Anything else
// that no recorder has written is an error, with file and line.
func Read(paths ...string) (*History, error) {
	b := newBuilder()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		err = b.read(path, f)
		_ = f.Close() // it was only read
		if err != nil {
			return nil, err
		}
	}
	return b.finish(), nil
}

// read takes in one file.
func (b *builder) read(name string, from io.Reader) error {
	in := bufio.NewReaderSize(from, 1<<16)
	for n := 1; ; n++ {
		text, err := readLine(in)
		if len(text) > 0 {
			if err := b.text(text); err != nil {
				return fmt.Errorf("history: %s:%d: %w", name, n, err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("history: %s:%d: %w", name, n, err)
		}
	}
}

// readLine reads a line with its end, which the last one may lack.
func readLine(in *bufio.Reader) (text []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
		if len(text) > maxLine {
			return nil, fmt.Errorf("the line is longer than %d bytes", maxLine)
		}
	}
}

// text takes in a line, with torn ones before it.
func (b *builder) text(text []byte) error {
	for {
		l, err := parse(text)
		if err == nil {
			return b.add(l)
		}
		next := bytes.Index(text[1:], []byte(lineStart)) + 1
		whole := text[len(text)-1] == '\n'
		switch {
		case next > 0 && tornLine(text[:next]):
			if err := b.tear(text[:next]); err != nil {
				return err
			}
			text = text[next:]
		case next == 0 && !whole && tornLine(text): // the end of the file
			return b.tear(text)
		default:
			return err
		}
	}
}

// tornLine reports whether a text may be the beginning of a line.
func tornLine(text []byte) bool {
	return bytes.HasPrefix(text, []byte(lineStart)) || bytes.HasPrefix([]byte(lineStart), text)
}

// parse reads one record.
func parse(text []byte) (*line, error) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	l := new(line)
	if err := in.Decode(l); err != nil {
		return nil, fmt.Errorf("this is no record: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the record")
	}
	return l, l.check()
}

// tear notes that a process, if its name can still be read, has written its last.
func (b *builder) tear(text []byte) error {
	b.history.Torn++
	name, _, ok := bytes.Cut(bytes.TrimPrefix(text, []byte(lineStart)), []byte(`"`))
	if !ok {
		return nil
	}
	who := string(name)
	if b.torn[who] {
		return fmt.Errorf("%s has two torn lines: it can have been killed once only", who)
	}
	b.torn[who] = true
	return nil
}

// by sorts by moments.
func by[T any](all []*T, moment func(*T) int64) {
	slices.SortStableFunc(all, func(x, y *T) int {
		switch a, b := moment(x), moment(y); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
}
