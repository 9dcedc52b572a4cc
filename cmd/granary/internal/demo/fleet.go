package demo

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// startWithin is how soon a member process must be a member.
	startWithin = 30 * time.Second
	// stopWithin is how long the members have to shut down, all together.
	stopWithin = 10 * time.Second
)

// fleet is the member processes, in the order of their numbers.
type fleet struct {
	program string
	options Options
	log     io.Writer // for the processes' logs; nil for none
	// ended is called when a process ends unasked, once it was a member.
	ended func(*process)

	wg sync.WaitGroup // the goroutines that wait for an end

	mu        sync.Mutex // guards the rest
	processes []*process
	hosts     []string // where the members answer pings
}

func newFleet(o Options, log io.Writer, ended func(*process)) (*fleet, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &fleet{program: program, options: o, log: log, ended: ended}, nil
}

// launch starts n more members and waits until all are in the view. Each knows
// the addresses of all there are.
func (f *fleet) launch(ctx context.Context, n int) ([]*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var started []*process
	for range n {
		p, err := f.spawn()
		if err != nil {
			return nil, err
		}
		started = append(started, p)
	}
	for _, p := range started {
		host, err := p.await(ctx, p.listening)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.hosts = append(f.hosts, host)
		f.mu.Unlock()
	}
	for _, p := range started {
		p.say(wordHosts, strings.Join(f.addresses(), ","))
	}
	for _, p := range started {
		if _, err := p.await(ctx, p.ready); err != nil {
			return nil, err
		}
		f.wg.Go(func() {
			if <-p.exited; !p.asked.Load() {
				f.ended(p)
			}
		})
	}
	return started, nil
}

func (f *fleet) spawn() (*process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := spawn(f.program, len(f.processes)+1, f.options, f.log)
	if err != nil {
		return nil, err
	}
	f.processes = append(f.processes, p)
	return p, nil
}

// addresses are where the members answer pings.
func (f *fleet) addresses() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.hosts...)
}

// at gives the process whose actors are at an address; nil if none is.
func (f *fleet) at(address string) *process {
	for _, p := range f.all() {
		if p.address() == address {
			return p
		}
	}
	return nil
}

func (f *fleet) all() []*process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*process(nil), f.processes...)
}

// stop ends all processes, side by side, gracefully as long as there is time,
// and returns when none is left. The error says which did not end cleanly.
func (f *fleet) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	processes := f.all()
	errs := make([]error, len(processes))
	var wg sync.WaitGroup
	for i, p := range processes {
		if p.running() {
			wg.Go(func() { errs[i] = p.stop(ctx) })
		}
	}
	wg.Wait()
	f.wg.Wait()
	return errors.Join(errs...)
}
