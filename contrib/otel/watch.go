package granaryotel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// Watch counts what a cluster and its actor system tell of themselves, and reads the
// rest when metrics are collected. It may be called before the cluster starts; stop
// ends it. It fails if an instrument cannot be made.
func (i *Instrumentation) Watch(c *cluster.Cluster) (stop func(), err error) {
	m := &watcher{maker: maker{meter: i.meter}, reads: make(map[string]metric.Observable)}
	for _, instrument := range instruments {
		m.add(instrument)
	}
	if err := errors.Join(m.errs...); err != nil {
		return nil, err
	}
	registration, err := i.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		reading{o, m.reads}.all(c)
		return nil
	}, m.observed...)
	if err != nil {
		return nil, err
	}
	for _, phase := range []driver.LeasePhase{driver.LeaseValid, driver.LeaseDraining, driver.LeaseFenced} {
		// Who asks how much a counter has grown does not see the first time if it was not there before.
		i.recorders.leaseChanges.Add(context.Background(), 0, i.phases.of([3]string{phase.String()}))
	}
	stream := c.ActorSystem().EventStream
	subscription := stream.Subscribe(i.heard)
	return func() {
		stream.Unsubscribe(subscription)
		_ = registration.Unregister() // there is nothing to do about it
	}, nil
}

// heard counts an event.
func (i *Instrumentation) heard(event any) {
	ctx := context.Background()
	switch e := event.(type) {
	case *actor.DeadLetterEvent:
		i.recorders.deadLetters.Add(ctx, 1, i.dead.of([3]string{reasonWord(e.Reason)}))
	case *actor.SupervisorEvent:
		i.recorders.actorFailures.Add(ctx, 1, i.failures.of([3]string{e.Directive.String()}))
	case *cluster.ClusterTopology:
		i.recorders.viewChanges.Add(ctx, 1)
		i.recorders.slotsMoved.Add(ctx, int64(e.MovedSlots))
	case *cluster.MemberLease:
		i.recorders.leaseChanges.Add(ctx, 1, i.phases.of([3]string{e.Phase.String()}))
	}
}

// watcher makes the instruments that are read.
type watcher struct {
	maker

	reads    map[string]metric.Observable
	observed []metric.Observable
}

func (w *watcher) add(i instrument) {
	var made metric.Observable
	var err error
	switch {
	case i.kind == watchedCounter:
		made, err = w.meter.Int64ObservableCounter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	case i.kind == watchedGauge && i.unit == unitSeconds:
		made, err = w.meter.Float64ObservableGauge(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	case i.kind == watchedGauge:
		made, err = w.meter.Int64ObservableGauge(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	default:
		return
	}
	w.failed(i, err)
	w.reads[i.name] = made
	w.observed = append(w.observed, made)
}

// reading is one collection.
type reading struct {
	to    metric.Observer
	reads map[string]metric.Observable
}

func (r reading) int(i instrument, n int64, attrs ...attribute.KeyValue) {
	if to, ok := r.reads[i.name].(metric.Int64Observable); ok {
		r.to.ObserveInt64(to, n, metric.WithAttributes(attrs...))
	}
}

func (r reading) seconds(i instrument, s float64) {
	if to, ok := r.reads[i.name].(metric.Float64Observable); ok {
		r.to.ObserveFloat64(to, s)
	}
}

func (r reading) all(c *cluster.Cluster) {
	for kind, n := range c.ActiveGrains() {
		r.int(activeGrains, int64(n), attribute.String(attrKind, kind))
	}
	counts := c.Counters()
	r.int(viewsRefused, counts.RefusedViews)
	r.int(leasesEnded, counts.Fenced)
	r.int(turnsRefused, counts.RefusedTurns)
	r.int(withheld, counts.Withheld)
	r.int(evictions, counts.Evicted)
	view := c.View()
	states := map[driver.State]int64{driver.Active: 0, driver.Leaving: 0}
	for _, m := range view.Members {
		states[m.State]++
	}
	for state, n := range states {
		r.int(members, n, attribute.String(attrState, state.String()))
	}
	r.int(viewEpoch, int64(view.Epoch))
	if margin, told := c.LeaseMargin(); told {
		r.seconds(leaseMargin, margin.Seconds())
	}
	if carrier := c.Remote(); carrier != nil {
		r.remote(carrier, view)
	}
}

func (r reading) remote(carrier *remote.Remote, view driver.View) {
	stats := carrier.Stats()
	r.int(connections, int64(stats.Connections))
	r.int(refusedConnections, int64(stats.Refused))
	r.int(undecodable, int64(stats.Undecodable))
	r.int(remoteMessages, int64(stats.Sent), attribute.String(attrDirection, "sent"))
	r.int(remoteMessages, int64(stats.Received), attribute.String(attrDirection, "received"))
	r.int(remoteBytes, int64(stats.SentBytes), attribute.String(attrDirection, "sent"))
	r.int(remoteBytes, int64(stats.ReceivedBytes), attribute.String(attrDirection, "received"))
	type queued struct{ messages, bytes, failures int64 }
	peers := make(map[string]queued)
	for _, m := range view.Members {
		if m.Address != carrier.Address() {
			peers[m.Address] = queued{}
		}
	}
	for _, p := range carrier.Peers() {
		name := p.Address
		if _, member := peers[name]; !member {
			name = otherWord
		}
		q := peers[name]
		peers[name] = queued{q.messages + int64(p.QueuedMessages), q.bytes + int64(p.QueuedBytes), q.failures + int64(p.Failures)}
	}
	for name, q := range peers {
		peer := attribute.String(attrPeer, name)
		r.int(queuedMessages, q.messages, peer)
		r.int(queuedBytes, q.bytes, peer)
		r.int(peerFailures, q.failures, peer)
	}
}
