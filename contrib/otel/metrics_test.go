package granaryotel_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
	granaryotel "github.com/granary-go/granary/contrib/otel"
	"github.com/granary-go/granary/remote"
)

// collected are metrics by name, and the values of each by its attributes.
type collected map[string]struct {
	metricdata.Metrics
	points map[string]float64 // of a histogram, how many values
}

func (p *process) collect(t testing.TB) collected {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := p.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := make(collected)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			one := got[m.Name]
			one.Metrics, one.points = m, pointsOf(m)
			got[m.Name] = one
		}
	}
	return got
}

func pointsOf(m metricdata.Metrics) map[string]float64 {
	points := make(map[string]float64)
	add := func(set attribute.Set, n float64) { points[set.Encoded(attribute.DefaultEncoder())] += n }
	switch d := m.Data.(type) {
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Count))
		}
	case metricdata.Histogram[int64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Count))
		}
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[float64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, p.Value)
		}
	}
	return points
}

// want looks for the value of a metric with these attributes.
func (c collected) want(t *testing.T, name, attributes string, value float64) {
	t.Helper()
	if got, has := c[name].points[attributes]; !has || got != value {
		t.Errorf("%s{%s} is %v, %t; want %v. There are %v", name, attributes, got, has, value, c[name].points)
	}
}

// exercise makes every instrument of a member of two, and of its client, say
// something.
func exercise(t testing.TB, w *world, opts ...cluster.Option) (member, client *process) {
	t.Helper()
	store := clustertest.NewRecordStore()
	w.provider = leased(store)
	w.start(tellers(nil))
	member = w.start(append(opts, tellers(words{
		"fail": func(*teller, cluster.GrainContext, string) (string, error) { return "", errors.New("no such book") },
		"activate": func(g *teller, _ cluster.GrainContext, _ string) (string, error) {
			if strings.HasPrefix(g.ID(), "never") {
				return "", errors.New("no state to load")
			}
			return "", nil
		},
		"end": func(_ *teller, ctx cluster.GrainContext, _ string) (string, error) {
			ctx.Stop(ctx.Self())
			return "", nil
		},
	}))...)
	client = w.start()
	eventually(t, "the client does not see two members", func() bool { return len(client.Members()) == 2 })
	for range 3 {
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "never1", "never2", "never3", "never4", "never5", "never6"} {
			for _, word := range []string{"hello", "fail", "end"} {
				_, _ = callTeller(t.Context(), client.Cluster, id, "Tell", word)
			}
		}
	}
	root := member.ActorSystem().Root
	root.Send(member.ActorSystem().NewLocalPID("nobody"), "hello")
	sick := root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(string); ok {
			panic("sick")
		}
	}))
	root.Send(sick, "hello")
	eventually(t, "no failure was counted", func() bool { return len(member.collect(t)["granary.actor.failures"].points) > 0 })
	store.Outage(true)
	eventually(t, "the lease does not drain", func() bool { return member.collect(t)["granary.lease.changes"].points["granary.phase=draining"] > 0 })
	store.Outage(false)
	return member, client
}

// leased makes providers whose leases last a second.
func leased(store *clustertest.RecordStore) func() driver.Provider {
	return func() driver.Provider {
		return store.Provider(record.WithTTL(time.Second), record.WithPause(10*time.Millisecond))
	}
}

func TestMetricsOfCalls(t *testing.T) {
	w := newWorld(t)
	member := w.start(tellers(words{
		"fail":  func(*teller, cluster.GrainContext, string) (string, error) { return "", errors.New("no such book") },
		"panic": func(*teller, cluster.GrainContext, string) (string, error) { panic("no such book") },
		"own": func(*teller, cluster.GrainContext, string) (string, error) {
			return "", &cluster.GrainError{Code: cluster.CodeApplication + 7, Message: "sold out"}
		},
	}, cluster.WithMaxActivations(2)))
	client := w.start()
	for _, word := range []string{"hello", "hello", "fail", "panic", "own"} {
		_, _ = callTeller(t.Context(), client.Cluster, "a", "Tell", word)
	}
	_, _ = callTeller(t.Context(), client.Cluster, "a", "NoSuchMethod", "")
	_, _ = client.Call("a", "no/kind", wrapperspb.String(""))
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _ = client.CallContext(short, "a", "NoSuchKind", wrapperspb.String(""))
	w.spans.take(t)
	calls := client.collect(t)
	const name = "granary.call.duration"
	calls.want(t, name, "granary.kind=Teller,granary.method=Tell", 2)
	calls.want(t, name, "error.type=grain_error,granary.kind=Teller,granary.method=Tell", 1)
	calls.want(t, name, "error.type=grain_panic,granary.kind=Teller,granary.method=Tell", 1)
	calls.want(t, name, "error.type=grain_application,granary.kind=Teller,granary.method=Tell", 1)
	calls.want(t, name, "error.type=grain_unknown_method,granary.kind=other,granary.method=other", 1)
	calls.want(t, name, "error.type=invalid_identity,granary.kind=other,granary.method=other", 1)
	calls.want(t, name, "error.type=no_member_for_kind,granary.kind=other,granary.method=other", 1)
	calls.want(t, "granary.resolve.duration", "granary.again=false,granary.kind=Teller", 1)
	calls.want(t, "granary.resolve.duration", "error.type=no_member_for_kind,granary.again=false,granary.kind=other", 1)
	served := member.collect(t)
	served.want(t, "granary.method.duration", "granary.kind=Teller,granary.method=Tell", 2)
	served.want(t, "granary.method.duration", "error.type=panic,granary.kind=Teller,granary.method=Tell", 1)
	served.want(t, "granary.activation.duration", "granary.kind=Teller", 1)
	served.want(t, "granary.place.duration", "granary.outcome=found", 1)
	served.want(t, "granary.grains.active", "granary.kind=Teller", 1)
	served.want(t, "granary.actor.failures", "granary.directive=restart", 1)
	served.want(t, "granary.actor.handler.duration", "error.type=panic,granary.actor=Teller", 1)
}

// Without traces there are the same metrics: how long it takes to place a grain, too.
func TestMetricsWithoutTraces(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	o, err := granaryotel.New(granaryotel.WithTracerProvider(noop.NewTracerProvider()), granaryotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		t.Fatal(err)
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)), o.System())
	t.Cleanup(system.Shutdown)
	c := cluster.New(system, cluster.Configure("test", clustertest.NewRegistry().Provider(), remote.Configure("127.0.0.1", 0), tellers(nil), o.Cluster()))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			t.Error(err)
		}
	})
	if _, err := callTeller(t.Context(), c, "a", "Tell", "hello"); err != nil {
		t.Fatal(err)
	}
	p := &process{Cluster: c, reader: reader}
	got := p.collect(t)
	for again := time.Tick(time.Millisecond); len(got["granary.place.duration"].points) == 0; got = p.collect(t) {
		select { // the owner measures after it has answered
		case <-again:
		case <-t.Context().Done():
			t.Fatal("no grain was placed")
		}
	}
	got.want(t, "granary.place.duration", "granary.outcome=found", 1)
	got.want(t, "granary.resolve.duration", "granary.again=false,granary.kind=Teller", 1)
	got.want(t, "granary.activation.duration", "granary.kind=Teller", 1)
	got.want(t, "granary.method.duration", "granary.kind=Teller,granary.method=Tell", 1)
}

func TestMetricsOfAMember(t *testing.T) {
	w := newWorld(t)
	member, client := exercise(t, w)
	got := member.collect(t)
	got.want(t, "granary.cluster.members", "granary.state=active", 2)
	if n := got["granary.dead_letters"].points["granary.reason=no_actor"]; n == 0 {
		t.Error("no dead letters were counted")
	}
	got.want(t, "granary.remote.queue.messages", "granary.peer=other", 0)
	got.want(t, "granary.cluster.view.epoch", "", float64(member.View().Epoch))
	if n := got["granary.deactivations"].points["granary.kind=Teller,granary.reason=stopped"]; n == 0 {
		t.Error("no deactivations were counted")
	}
	got = client.collect(t)
	if n := got["granary.call.retries"].points["granary.kind=Teller,granary.method=Tell"]; n == 0 {
		t.Error("no tries after the first were counted")
	}
	if n := got["granary.remote.messages"].points["granary.direction=sent"]; n < 20 {
		t.Errorf("%v messages were sent", n)
	}
	if n := got["granary.cluster.slots.moved"].points[""]; n != 0 {
		t.Errorf("%v slots have moved between two members", n)
	}
	w.start(tellers(nil))
	eventually(t, "no slots have moved", func() bool { return client.collect(t)["granary.cluster.slots.moved"].points[""] > 1000 })
}

// A leased member tells what is left of its lease.
func TestMetricsOfALease(t *testing.T) {
	w := newWorld(t)
	store := clustertest.NewRecordStore()
	w.provider = leased(store)
	member := w.start(tellers(nil))
	margin := func() float64 {
		n, has := member.collect(t)["granary.lease.margin"].points[""]
		if !has {
			t.Fatal("no margin of the lease")
		}
		return n
	}
	if n := margin(); n <= 0 || n > 1 {
		t.Errorf("the lease has %v s left; want up to 1", n)
	}
	store.Outage(true)
	eventually(t, "the lease does not end", func() bool { return member.collect(t)["granary.lease.ends"].points[""] == 1 })
	member.collect(t).want(t, "granary.lease.changes", "granary.phase=fenced", 1)
	store.Outage(false)
}

// All metrics that there are, and their attributes, are those of the table in the
// documentation.
func TestTableOfMetrics(t *testing.T) {
	w := newWorld(t)
	member, client := exercise(t, w)
	seen := make(map[string]map[string]bool)
	for _, p := range []*process{member, client} {
		for name, m := range p.collect(t) {
			if seen[name] == nil {
				seen[name] = make(map[string]bool)
			}
			for set := range m.points {
				for pair := range strings.SplitSeq(set, ",") {
					if key, _, has := strings.Cut(pair, "="); has {
						seen[name][key] = true
					}
				}
			}
		}
	}
	documented := documentedMetrics(t)
	for name, attributes := range seen {
		for key := range attributes {
			if !slices.Contains(documented[name].attributes, key) {
				t.Errorf("%s has the attribute %s, which docs/reference/metrics.md does not name", name, key)
			}
		}
	}
	for name := range documented {
		if _, is := seen[name]; !is {
			t.Errorf("docs/reference/metrics.md has %s, and nobody measures it", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if _, is := documented[name]; !is {
			t.Errorf("%s is not in docs/reference/metrics.md", name)
		}
	}
}

type documentedMetric struct {
	unit       string
	attributes []string
}

// documentedMetrics reads the table in docs/reference/metrics.md.
func documentedMetrics(t testing.TB) map[string]documentedMetric {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]documentedMetric)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 5 || !strings.HasPrefix(line, "| `granary.") {
			continue
		}
		m := documentedMetric{unit: strings.Trim(cells[2], "`")}
		for a := range strings.SplitSeq(cells[3], ", ") {
			m.attributes = append(m.attributes, strings.Trim(a, "`"))
		}
		all[strings.Trim(cells[0], "| `")] = m
	}
	if len(all) == 0 {
		t.Fatal("docs/reference/metrics.md has no table of metrics")
	}
	return all
}
