package automanaged

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

var lives atomic.Int64

// process does with a provider what a cluster does with it.
type process struct {
	t        *testing.T
	provider *Provider
	request  driver.Request
	client   bool
	rejoins  bool // joins again when it was removed, instead of failing the test
	session  driver.Session
	current  atomic.Value // the id, which others look at while it joins again
	last     uint64
	removals int
	logs     *logbook
	light    *memNetwork // where it answers without gRPC; nil if it needs none
}

func newProcess(t *testing.T, p *Provider, host, address string) *process {
	logs := new(logbook)
	made := &process{t: t, provider: p, logs: logs, request: driver.Request{
		Cluster: "test", BindHost: host, Logger: slog.New(logs), Member: driver.Member{
			Address: address, Kinds: []driver.Kind{{Name: "Ponger"}}, Labels: map[string]string{"zone": "a"},
		},
	}}
	t.Cleanup(func() {
		if made.session != nil {
			made.crash()
		}
	})
	return made
}

func (p *process) id() driver.MemberID { return p.current.Load().(driver.MemberID) }

// open joins, or observes, under a new id.
func (p *process) open() *process {
	p.t.Helper()
	if err := p.tryOpen(); err != nil {
		p.t.Fatal(err)
	}
	return p
}

func (p *process) tryOpen() (err error) {
	p.last = 0
	if p.client {
		p.session, err = p.provider.Observe(p.t.Context(), p.request)
		return err
	}
	p.request.Member.ID = driver.MemberID(fmt.Sprintf("%s-life%03d", p.request.Member.Address, lives.Add(1)))
	p.current.Store(p.request.Member.ID)
	p.session, err = p.provider.Join(p.t.Context(), p.request)
	if err == nil && p.light != nil {
		p.light.serve(p.request.BindHost+":6330", p.session.(*member))
	}
	return err
}

// crash ends the process without a word.
func (p *process) crash() {
	p.t.Helper()
	if err := p.session.Close(); err != nil {
		p.t.Error(err)
	}
}

func (p *process) leave() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(p.session.Drain(ctx), p.session.Leave(ctx)); err != nil {
		p.t.Error(err)
	}
	p.crash()
}

// until watches until a view fulfils the condition, and gives it.
func (p *process) until(what string, condition func(driver.View) bool) driver.View {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	var seen driver.View
	for {
		view, err := p.session.Watch(ctx, p.last)
		switch {
		case err == nil:
			if view.Epoch <= p.last {
				p.t.Errorf("%s: view %d after %d", p.request.Member, view.Epoch, p.last)
			}
			if err := view.Validate(); err != nil {
				p.t.Error(err)
			}
			if p.last = view.Epoch; condition(view) {
				return view
			}
			seen = view
		case errors.Is(err, driver.ErrRemoved) && p.rejoins:
			p.removals++
			p.crash()
			p.open()
		case ctx.Err() != nil, errors.Is(err, driver.ErrRemoved), errors.Is(err, driver.ErrClosed):
			p.t.Errorf("%s waits for %s: %v; last view: %v\n%s", p.request.Member, what, err, seen, p.logs)
			return seen
		}
	}
}

// holds waits for a view that holds exactly these processes, all active.
func (p *process) holds(members ...*process) driver.View {
	p.t.Helper()
	return p.until(fmt.Sprintf("a view of %d", len(members)), func(v driver.View) bool {
		for _, m := range members {
			if found, in := v.Member(m.id()); !in || found.State != driver.Active {
				return false
			}
		}
		return len(v.Members) == len(members)
	})
}

// allHold waits until each of the processes holds the same view of all.
func allHold(t *testing.T, members ...*process) {
	t.Helper()
	for !t.Failed() {
		epochs := make([]uint64, len(members))
		var wg sync.WaitGroup
		for i, m := range members {
			m.last = 0
			wg.Go(func() { epochs[i] = m.holds(members...).Epoch })
		}
		wg.Wait()
		if len(slices.Compact(epochs)) == 1 {
			return
		}
	}
	t.FailNow()
}

// logbook keeps what was logged.
type logbook struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

func (l *logbook) count(part string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// noLeaks fails the test if goroutines of this package or of gRPC outlive it.
func noLeaks(t *testing.T) {
	t.Cleanup(func() {
		deadline := time.After(30 * time.Second)
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			var leaked []string
			for stack := range strings.SplitSeq(string(stacks), "\n\n") {
				if strings.Contains(stack, "automanaged.(*") || strings.Contains(stack, "google.golang.org/grpc") {
					leaked = append(leaked, stack)
				}
			}
			if len(leaked) == 0 {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Errorf("%d goroutines outlive the test:\n%s", len(leaked), strings.Join(leaked, "\n\n"))
				return
			}
		}
	})
}

// described gives the request under an id.
func (p *process) described(id driver.MemberID) driver.Request {
	r := p.request
	r.Member.ID = id
	return r
}
