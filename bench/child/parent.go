package child

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
)

// Usage is what a process has used so far.
type Usage struct {
	Mallocs uint64 `json:"mallocs"`
	Bytes   uint64 `json:"bytes"`
	// Arrived is how many messages have reached its targets.
	Arrived int64 `json:"arrived"`
}

// UsageNow is that of this process.
func UsageNow() Usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{Mallocs: m.Mallocs, Bytes: m.TotalAlloc}
}

// A Parent is the process that has started this one, as this one sees it.
type Parent struct {
	mu  sync.Mutex // guards out
	out io.Writer
}

// NewParent makes one that reads what this process writes to out.
func NewParent(out io.Writer) *Parent { return &Parent{out: out} }

// Tell writes a value as a line of JSON.
func (p *Parent) Tell(v any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.NewEncoder(p.out).Encode(v)
}

// Obey calls obey with each line that the parent says, until it says no more.
func Obey(in io.Reader, obey func(line string) error) error {
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		if err := obey(scanner.Text()); err != nil {
			return err
		}
	}
	return nil
}

// Profiled runs something and writes a profile of the processor meanwhile to a file; without a name it only runs it.
func Profiled(name string, run func() error) error {
	if name == "" {
		return run()
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}
