package clustertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
)

// FencedDir is a [driver.FencedStore] in a directory, for tests with several
// processes on one machine. Open one in each process with [OpenFencedDir]. It
// survives its processes, not the machine: nothing is synced.
//
// It locks nothing, so that a process that is stopped or killed in the middle
// of a call holds nobody up. Each identity has a folder with a file for each of its
// states, numbered without gaps; a state comes to be by linking a file to
// the next number, which only one can do. Former states are emptied, and
// their names stay: so it grows by one empty file with each write.
type FencedDir struct {
	path string

	mu   sync.Mutex // guards last
	last map[string]uint64
}

// OpenFencedDir opens the store in a directory, which it makes if need be. The
// directory holds nothing else.
func OpenFencedDir(path string) (*FencedDir, error) {
	if err := os.MkdirAll(path, 0o750); err != nil { //nolint:gosec // the test names the folder
		return nil, fmt.Errorf("clustertest: cannot make the directory of a fenced store: %w", err)
	}
	return &FencedDir{path: path, last: make(map[string]uint64)}, nil
}

// fencedState is a state of an identity. The first number is 1; 0 is that of an
// identity without states.
type fencedState struct {
	number uint64
	token  driver.Fence
	value  []byte
}

// Open implements driver.FencedStore.
func (d *FencedDir) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	return d.change(ctx, id, f, func(s fencedState) (fencedState, bool) {
		changed := s.number == 0 || f != s.token
		s.token = f
		return s, changed
	})
}

// Write implements driver.FencedStore.
func (d *FencedDir) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	_, err := d.change(ctx, id, f, func(s fencedState) (fencedState, bool) {
		s.token, s.value = f, value
		return s, true
	})
	return err
}

// Read gives the largest token that has opened or written an identity, and
// its value. It raises no token.
func (d *FencedDir) Read(ctx context.Context, id driver.Identity) (driver.Fence, []byte, error) {
	s, err := d.newest(ctx, d.folder(id))
	return s.token, s.value, err
}

// change makes the next state of an identity, unless the token is too old.
func (d *FencedDir) change(ctx context.Context, id driver.Identity, f driver.Fence, next func(fencedState) (fencedState, bool)) ([]byte, error) {
	folder := d.folder(id)
	for {
		now, err := d.newest(ctx, folder)
		if err != nil {
			return nil, err
		}
		if f.Compare(now.token) < 0 {
			return nil, driver.ErrFenced
		}
		s, changed := next(now)
		if !changed {
			return s.value, nil
		}
		s.number++
		switch err := d.add(folder, s); {
		case err == nil:
			return s.value, nil
		case !errors.Is(err, fs.ErrExist): // else another was first
			return nil, fmt.Errorf("clustertest: cannot write %v: %w", id, err)
		}
	}
}

// folder is that of an identity. Names may be longer than those of files.
func (d *FencedDir) folder(id driver.Identity) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(len(id.Kind)))
	sum := sha256.Sum256(append(append(text, id.Kind...), id.Name...))
	return filepath.Join(d.path, hex.EncodeToString(sum[:]))
}

func fileOf(folder string, number uint64) string {
	return filepath.Join(folder, strconv.FormatUint(number, 10))
}

// newest reads the newest state in a folder.
func (d *FencedDir) newest(ctx context.Context, folder string) (fencedState, error) {
	for {
		if err := ctx.Err(); err != nil {
			return fencedState{}, err
		}
		number, err := d.number(folder)
		if err != nil || number == 0 {
			return fencedState{}, err
		}
		data, err := os.ReadFile(fileOf(folder, number))
		if err != nil {
			return fencedState{}, err
		}
		// One that is incomplete has been emptied: there is a newer one.
		if s, complete := decodeState(data); complete {
			s.number = number
			return s, nil
		}
	}
}

// number finds the highest number in a folder, from the last that was seen.
func (d *FencedDir) number(folder string) (uint64, error) {
	d.mu.Lock()
	low := d.last[folder]
	d.mu.Unlock()
	step := uint64(1)
	for { // low exists
		there, err := exists(fileOf(folder, low+step))
		if err != nil {
			return 0, err
		}
		switch {
		case there:
			low, step = low+step, step*2
		case step > 1:
			step = (step + 1) / 2
			continue
		default:
			d.seen(folder, low)
			return low, nil
		}
	}
}

func (d *FencedDir) seen(folder string, number uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[folder] = max(d.last[folder], number)
}

func exists(name string) (bool, error) {
	_, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// add makes a state, and fails with fs.ErrExist if there is one of its number.
func (d *FencedDir) add(folder string, s fencedState) error {
	if err := os.MkdirAll(folder, 0o750); err != nil { //nolint:gosec // it is made of a hash, below that
		return err
	}
	temporary, err := os.CreateTemp(folder, "new-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(encodeState(s))
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Link(temporary.Name(), fileOf(folder, s.number))
	}
	err = errors.Join(err, os.Remove(temporary.Name())) //nolint:gosec // its own temporary file
	if err != nil {
		return err
	}
	d.seen(folder, s.number)
	if s.number > 1 {
		_ = os.Truncate(fileOf(folder, s.number-1), 0) // a state that is kept in full does no harm
	}
	return nil
}

// encodeState begins with a line for people: token, whether there is a value,
// and its length.
func encodeState(s fencedState) []byte {
	return append(fmt.Appendf(nil, "%d %d %t %d\n", s.token.Term, s.token.Seq, s.value != nil, len(s.value)), s.value...)
}

// decodeState reads a state, and reports whether it is complete.
func decodeState(data []byte) (s fencedState, complete bool) {
	line, rest, found := bytes.Cut(data, []byte("\n"))
	var is bool
	var length int
	if _, err := fmt.Sscanf(string(line), "%d %d %t %d", &s.token.Term, &s.token.Seq, &is, &length); !found || err != nil || len(rest) != length {
		return fencedState{}, false
	}
	if is {
		s.value = rest[:length:length]
	}
	return s, true
}
