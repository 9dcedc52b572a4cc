package clustertest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
)

// storeEnv makes a process of the test binary serve the store in a directory.
const storeEnv = "GRANARY_TEST_FENCED_DIR"

func TestMain(m *testing.M) {
	if path := os.Getenv(storeEnv); path != "" {
		if err := serveStore(path, os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is a call of a store in another process, and its answer.
type order struct {
	Number  uint64 `json:"number"`
	Term    uint64 `json:"term"`
	Seq     uint64 `json:"seq"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Write   bool   `json:"write"`
	Is      bool   `json:"is"`
	Value   []byte `json:"value"`
	Fenced  bool   `json:"fenced"`
	Failure string `json:"failure"`
}

// serveStore runs orders, all at once, until there are no more.
func serveStore(path string, in io.Reader, out io.Writer) error {
	d, err := OpenFencedDir(path)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards encoder
	encoder, decoder := json.NewEncoder(out), json.NewDecoder(in)
	for {
		var o order
		if err := decoder.Decode(&o); err != nil {
			return err
		}
		go func() {
			o.run(d)
			mu.Lock()
			defer mu.Unlock()
			_ = encoder.Encode(o)
		}()
	}
}

func (o *order) run(d *FencedDir) {
	id, f := driver.Identity{Kind: o.Kind, Name: o.Name}, driver.Fence{Term: o.Term, Seq: o.Seq}
	var err error
	if o.Write {
		if !o.Is {
			o.Value = nil
		} else if o.Value == nil {
			o.Value = []byte{}
		}
		err = d.Write(context.Background(), id, f, o.Value)
	} else {
		o.Value, err = d.Open(context.Background(), id, f)
		o.Is = o.Value != nil
	}
	if o.Fenced = errors.Is(err, driver.ErrFenced); err != nil {
		o.Failure = err.Error()
	}
}

// distant is a store in another process. A call waits for its answer, whatever
// its context says.
type distant struct {
	command *exec.Cmd
	mu      sync.Mutex // guards the fields below
	in      *json.Encoder
	last    uint64
	waiting map[uint64]chan order
	ended   bool
}

func startDistant(t *testing.T, path string) *distant {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := &distant{command: exec.Command(self), waiting: make(map[uint64]chan order)}
	d.command.Env = append(os.Environ(), storeEnv+"="+path)
	in, err := d.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	d.in = json.NewEncoder(in)
	var reader sync.WaitGroup
	reader.Go(func() { d.read(out) })
	t.Cleanup(func() {
		_ = in.Close()
		reader.Wait()
		_ = d.command.Wait() // it may have been killed
	})
	return d
}

func (d *distant) read(out io.Reader) {
	decoder := json.NewDecoder(out)
	for {
		var o order
		err := decoder.Decode(&o)
		d.mu.Lock()
		if err != nil {
			d.ended = true
			for _, w := range d.waiting {
				close(w)
			}
			d.mu.Unlock()
			return
		}
		d.waiting[o.Number] <- o
		delete(d.waiting, o.Number)
		d.mu.Unlock()
	}
}

var errEnded = errors.New("the process has ended")

func (d *distant) call(o order) ([]byte, error) {
	answer := make(chan order, 1)
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return nil, errEnded
	}
	d.last++
	o.Number = d.last
	d.waiting[o.Number] = answer
	err := d.in.Encode(o)
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	o, ok := <-answer
	switch {
	case !ok:
		return nil, errEnded
	case o.Fenced:
		return nil, driver.ErrFenced
	case o.Failure != "":
		return nil, errors.New(o.Failure)
	case o.Is && o.Value == nil:
		return []byte{}, nil
	default:
		return o.Value, nil
	}
}

// Open implements driver.FencedStore.
func (d *distant) Open(_ context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	return d.call(order{Kind: id.Kind, Name: id.Name, Term: f.Term, Seq: f.Seq})
}

// Write implements driver.FencedStore.
func (d *distant) Write(_ context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	_, err := d.call(order{Kind: id.Kind, Name: id.Name, Term: f.Term, Seq: f.Seq, Write: true, Is: value != nil, Value: value})
	return err
}

func openDir(t *testing.T, path string) *FencedDir {
	t.Helper()
	d, err := OpenFencedDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFencedDir(t *testing.T) {
	path := t.TempDir()
	drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore { return openDir(t, path) })
}

func TestFencedDirOfSeveralProcesses(t *testing.T) {
	path := t.TempDir()
	drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore { return startDistant(t, path) })
}

// Processes are killed in the middle of their writes. Each value that was
// acknowledged is there, and nobody has to wait.
func TestFencedDirSurvivesKills(t *testing.T) {
	path := t.TempDir()
	here := openDir(t, path)
	for i := range uint64(20) {
		d := startDistant(t, path)
		var acknowledged uint64
		var writer sync.WaitGroup
		under := make(chan struct{})
		begun := sync.OnceFunc(func() { close(under) })
		writer.Go(func() {
			defer begun()
			for n := uint64(1); ; n++ {
				value, err := json.Marshal(n)
				if err == nil {
					err = d.Write(t.Context(), grain, token(i), value)
				}
				if err != nil {
					return
				}
				if acknowledged = n; n == 3+i {
					begun()
				}
			}
		})
		<-under
		if err := d.command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		writer.Wait()
		value, err := here.Open(t.Context(), grain, token(i+1))
		var n uint64
		if err == nil {
			err = json.Unmarshal(value, &n)
		}
		if err != nil || n != acknowledged && n != acknowledged+1 {
			t.Fatalf("%d writes were acknowledged, the value is %q, %v", acknowledged, value, err)
		}
	}
	f, _, err := here.Read(t.Context(), grain)
	if err != nil || f != token(20) {
		t.Errorf("token %v, %v", f, err)
	}
}

func TestFencedDirThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFencedDir(file); err == nil {
		t.Error("a file was taken for a directory")
	}
}
