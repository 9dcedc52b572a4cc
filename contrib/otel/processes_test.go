package granaryotel_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	granaryotel "github.com/granary-go/granary/contrib/otel"
	"github.com/granary-go/granary/internal/servertest"
	"github.com/granary-go/granary/remote"
)

const (
	roleVariable = "GRANARY_OTEL_PROCESS" // holds a role; whoever finds it set plays it
	readyWord    = "ready"
	patience     = time.Minute
)

// role is what a process is told.
type role struct {
	// Name is the process's in its spans, and the kind of a member; the caller's is
	// "caller".
	Name     string   `json:"name"`
	PingPort int      `json:"pingPort"`
	Hosts    []string `json:"hosts"`
	Receiver string   `json:"receiver"` // of spans, an address
}

func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(roleVariable)
	if !ok {
		os.Exit(m.Run())
	}
	var r role
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.play()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, r.Name, "failed:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// play is the life of a process: a member until its input ends, or the caller of one
// grain.
func (r role) play() error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(r.Receiver))
	if err != nil {
		return err
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", r.Name))))
	o, err := granaryotel.New(granaryotel.WithTracerProvider(tracers))
	if err != nil {
		return err
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))), o.System())
	provider := automanaged.NewWithConfig(500*time.Millisecond, r.PingPort, r.Hosts...)
	opts := []cluster.Option{o.Cluster()}
	if r.Name != "caller" {
		opts = append(opts, r.kind())
	}
	c := cluster.New(system, cluster.Configure("trace", provider, remote.Configure("127.0.0.1", 0), opts...))
	if r.Name == "caller" {
		err = r.callOnce(ctx, c)
	} else {
		err = r.host(ctx, c)
	}
	return errors.Join(err, c.Shutdown(true), system.ShutdownContext(context.Background()), tracers.Shutdown(context.Background()))
}

func (r role) callOnce(ctx context.Context, c *cluster.Cluster) error {
	if err := c.StartClientContext(ctx); err != nil {
		return err
	}
	said, err := callHop(ctx, c, "Front", "x")
	_, wrote := fmt.Fprintln(os.Stdout, said)
	return errors.Join(err, wrote)
}

func (role) host(ctx context.Context, c *cluster.Cluster) error {
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, readyWord); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// hop is a grain that has another one, of the kind behind its own, do the work.
type hop struct{ cluster.Grain }

func (*hop) Terminate()                   {}
func (*hop) ReceiveDefault(actor.Context) {}

type hopActor struct {
	desc *cluster.GrainDesc[*hop]
	host cluster.GrainHost[*hop]
}

func (a *hopActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, a.desc, func() *hop { return &hop{} }, 0)
}

func (r role) kind() *cluster.Kind {
	desc := &cluster.GrainDesc[*hop]{Kind: r.Name, GoName: r.Name, Methods: []cluster.GrainMethod[*hop]{{
		Name: "Go", Request: newString, Call: func(_ *hop, _ proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
			if r.Name == "Back" {
				return wrapperspb.String("done at the back"), nil
			}
			said, err := callHop(ctx, ctx.Cluster(), "Back", "y")
			return wrapperspb.String(said), err
		},
	}}}
	return cluster.NewGrainKind(r.Name, func() actor.Actor { return &hopActor{desc: desc} })
}

func callHop(ctx context.Context, c *cluster.Cluster, kind, id string) (string, error) {
	reply, err := cluster.CallGrain[*wrapperspb.StringValue](ctx, c, kind, id, "Go", wrapperspb.String(""))
	return reply.GetValue(), err
}

// receiver takes spans by OTLP, as a collector does.
type receiver struct {
	collector.UnimplementedTraceServiceServer

	mu   sync.Mutex // guards seen
	seen []seen
}

// Export implements collector.TraceServiceServer.
func (r *receiver) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		process := ""
		for _, a := range rs.Resource.GetAttributes() {
			if a.Key == "service.name" {
				process = a.Value.GetStringValue()
			}
		}
		for _, scope := range rs.ScopeSpans {
			for _, s := range scope.Spans {
				r.seen = append(r.seen, received(process, s))
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func received(process string, s *otlp.Span) seen {
	return seen{
		trace: string(s.TraceId), id: string(s.SpanId), parent: string(s.ParentSpanId), process: process, name: s.Name,
		kind:   strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")),
		failed: s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR, start: time.Unix(0, int64(s.StartTimeUnixNano)),
	}
}

func receive(t *testing.T) (*receiver, string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, server := new(receiver), grpc.NewServer()
	collector.RegisterTraceServiceServer(server, r)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})
	return r, l.Addr().String()
}

// running is a process that plays a role.
type running struct {
	cmd   *exec.Cmd
	in    io.Closer
	lines *bufio.Scanner
}

func (r role) start(ctx context.Context, t *testing.T) *running {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), roleVariable+"="+string(text))
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &running{cmd, in, bufio.NewScanner(out)}
}

// says waits for the next line of the process.
func (p *running) says(t *testing.T, want string) {
	t.Helper()
	if !p.lines.Scan() || p.lines.Text() != want {
		t.Fatalf("the process said %q, %v; want %q", p.lines.Text(), p.lines.Err(), want)
	}
}

// end lets the process end by itself.
func (p *running) end(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.in.Close(), p.cmd.Wait()); err != nil {
		t.Error(err)
	}
}

// One call of a grain that calls another one crosses three processes, a client and two
// members. What an OTLP receiver gets of them is one trace, with the spans that it
// should have, in their order.
func TestTraceAcrossThreeProcesses(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	collected, address := receive(t)
	ports := []int{servertest.Port(t), servertest.Port(t)}
	hosts := []string{servertest.At(ports[0]), servertest.At(ports[1])}
	var members []*running
	for i, kind := range []string{"Front", "Back"} {
		members = append(members, role{Name: kind, PingPort: ports[i], Hosts: hosts, Receiver: address}.start(ctx, t))
	}
	for _, m := range members {
		m.says(t, readyWord)
	}
	caller := role{Name: "caller", Hosts: hosts, Receiver: address}.start(ctx, t)
	caller.says(t, "done at the back")
	caller.end(t)
	for _, m := range members {
		m.end(t)
	}
	collected.mu.Lock()
	defer collected.mu.Unlock()
	traces := make(map[string]bool)
	for i, s := range collected.seen {
		traces[s.trace] = true
		if s.name == "place" { // the slot of the identity decides where
			if s.process != "Front" && s.process != "Back" {
				t.Errorf("%s has placed a grain, which is no member", s.process)
			}
			collected.seen[i].process = "owner"
		}
	}
	if len(traces) != 1 {
		t.Errorf("there are %d traces; want 1", len(traces))
	}
	wantTree(t, collected.seen, `
caller: client Front/Go
  caller: internal resolve
    owner: server place
      Front: internal activate
  Front: server Front/Go
    Front: client Back/Go
      Front: internal resolve
        owner: server place
          Back: internal activate
      Back: server Back/Go
`)
}
