package remote

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
)

// process is an actor system with a remote, as one process of several in a test.
type process struct {
	t      testing.TB
	system *actor.ActorSystem
	remote *Remote
	logs   *logBook
	dead   *letters
}

// startProcess starts one; it is shut down at the end of the test.
func startProcess(t testing.TB, config *Config, opts ...Option) *process {
	t.Helper()
	p := newProcess(t, config, opts...)
	if err := p.remote.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func newProcess(t testing.TB, config *Config, opts ...Option) *process {
	logs := &logBook{}
	p := &process{t: t, logs: logs, dead: &letters{arrived: make(chan struct{}, 1)}}
	p.system = actor.NewActorSystem(actor.WithLogger(slog.New(logs)))
	p.remote = NewRemote(p.system, config, opts...)
	actor.SubscribeTo(p.system.EventStream, p.dead.add)
	t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	_ = p.remote.Shutdown(false)
	p.system.Shutdown()
}

// on returns the configuration of a process of the network.
func (n *memNetwork) on(host string, port int, opts ...ConfigOption) *Config {
	return Configure(host, port, append(n.options(), opts...)...)
}

// at returns a PID of p as others write it.
func (p *process) at(id string) *actor.PID { return actor.NewPID(p.remote.Address(), id) }

func (p *process) spawn(name string, f actor.ReceiveFunc) *actor.PID {
	p.t.Helper()
	pid, err := p.system.Root.SpawnNamed(actor.PropsFromFunc(f), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.at(pid.Id)
}

// echo spawns an actor that sends every string back.
func (p *process) echo(name string) *actor.PID {
	return p.spawn(name, func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	})
}

// sink spawns an actor that hands on every string.
func (p *process) sink(name string) (*actor.PID, *inbox) {
	in := &inbox{arrived: make(chan struct{}, 1)}
	return p.spawn(name, func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			in.add(m.Value)
		}
	}), in
}

func text(format string, args ...any) *wrapperspb.StringValue {
	return wrapperspb.String(fmt.Sprintf(format, args...))
}

// ask sends a text and returns the answer's, or the error.
func (p *process) ask(pid *actor.PID, message string) (string, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	reply, err := actor.Ask[*wrapperspb.StringValue](ctx, p.system.Root, pid, text("%s", message))
	return reply.GetValue(), err
}

func (p *process) mustAsk(pid *actor.PID, message string) {
	p.t.Helper()
	if got, err := p.ask(pid, message); err != nil || got != message {
		p.t.Fatalf("asking %s: %q, %v; want %q", pid, got, err, message)
	}
}

// inbox collects what arrives, in order.
type inbox struct {
	mu      sync.Mutex
	all     []string
	arrived chan struct{}
}

func (in *inbox) add(s string) {
	in.mu.Lock()
	in.all = append(in.all, s)
	in.mu.Unlock()
	select {
	case in.arrived <- struct{}{}:
	default:
	}
}

func (in *inbox) list() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]string(nil), in.all...)
}

// wait waits until n have arrived, and returns all there are.
func (in *inbox) wait(t testing.TB, n int) []string {
	t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	for {
		if all := in.list(); len(all) >= n {
			return all
		}
		select {
		case <-in.arrived:
		case <-timeout.C:
			t.Fatalf("only %d of %d arrived", len(in.list()), n)
		}
	}
}

// letters collects dead letters.
type letters struct {
	mu      sync.Mutex
	all     []*actor.DeadLetterEvent
	arrived chan struct{}
}

func (l *letters) add(e *actor.DeadLetterEvent) {
	l.mu.Lock()
	l.all = append(l.all, e)
	l.mu.Unlock()
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

func (l *letters) list() []*actor.DeadLetterEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*actor.DeadLetterEvent(nil), l.all...)
}

func (l *letters) wait(t testing.TB, n int) []*actor.DeadLetterEvent {
	t.Helper()
	return l.waitFor(t, n, func(*actor.DeadLetterEvent) bool { return true })
}

// waitFor returns the dead letters that count, once there are n of them.
func (l *letters) waitFor(t testing.TB, n int, counts func(*actor.DeadLetterEvent) bool) []*actor.DeadLetterEvent {
	t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	for {
		all := slices.DeleteFunc(l.list(), func(e *actor.DeadLetterEvent) bool { return !counts(e) })
		if len(all) >= n {
			return all
		}
		select {
		case <-l.arrived:
		case <-timeout.C:
			t.Fatalf("only %d of %d dead letters", len(all), n)
		}
	}
}

// logBook is a slog.Handler that keeps the messages.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logBook) WithGroup(string) slog.Handler            { return b }

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	return nil
}

func (b *logBook) has(part string) bool { return b.count(part) > 0 }

func (b *logBook) count(part string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, line := range b.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
