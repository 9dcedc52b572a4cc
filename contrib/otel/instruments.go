package granaryotel

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

// An instrument is a metric as docs/reference/metrics.md lists it.
type instrument struct {
	name        string
	kind        instrumentKind
	unit        string
	attributes  []string
	description string
	buckets     []float64
}

type instrumentKind string

const (
	histogram      instrumentKind = "histogram"
	counter        instrumentKind = "counter"
	watchedCounter instrumentKind = "observable counter"
	watchedGauge   instrumentKind = "observable gauge"
)

// Names of attributes. Identities are attributes of spans only.
const (
	attrKind       = "granary.kind"
	attrMethod     = "granary.method"
	attrIdentity   = "granary.identity"
	attrAgain      = "granary.again"
	attrOutcome    = "granary.outcome"
	attrReason     = "granary.reason"
	attrActor      = "granary.actor"
	attrMessage    = "granary.message"
	attrDirective  = "granary.directive"
	attrState      = "granary.state"
	attrPhase      = "granary.phase"
	attrPeer       = "granary.peer"
	attrDirection  = "granary.direction"
	attrMember     = "granary.member"
	attrTry        = "granary.try"
	attrErrorType  = "error.type"
	otherWord      = "other"
	unitSeconds    = "s"
	unitBytes      = "By"
	unitMessages   = "{message}"
	unitActivation = "{activation}"
)

// Seconds, from a call within a process to one that waits for a view.
var durations = []float64{
	0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
}

var lengths = []float64{0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}

// Those that are recorded when something happens.
var (
	callDuration = instrument{"granary.call.duration", histogram, unitSeconds, []string{attrKind, attrMethod, attrErrorType},
		"how long calls of grains took their callers, in all tries together", durations}
	callRetries = instrument{"granary.call.retries", counter, "{try}", []string{attrKind, attrMethod},
		"tries of calls after the first: the grain was not there any more, or the call may run again", nil}
	resolveDuration = instrument{"granary.resolve.duration", histogram, unitSeconds, []string{attrKind, attrAgain, attrErrorType},
		"how long it took to find a grain whose location was not cached; again: its location was known, and did not answer", durations}
	placeDuration = instrument{"granary.place.duration", histogram, unitSeconds, []string{attrOutcome},
		"how long owners took to answer where a grain is, with its activation if there was none", durations}
	activationDuration = instrument{"granary.activation.duration", histogram, unitSeconds, []string{attrKind, attrErrorType},
		"how long it took from the order to activate a grain until it was ready", durations}
	deactivations = instrument{"granary.deactivations", counter, unitActivation, []string{attrKind, attrReason},
		"activations that have stopped", nil}
	methodDuration = instrument{"granary.method.duration", histogram, unitSeconds, []string{attrKind, attrMethod, attrErrorType},
		"how long methods of grains ran, without the time in the mailbox", durations}
	handlerDuration = instrument{"granary.actor.handler.duration", histogram, unitSeconds, []string{attrActor, attrErrorType},
		"how long actors handled a message; of a grain the attribute is its kind, of another actor its Go type", durations}
	mailboxLength = instrument{"granary.actor.mailbox.length", histogram, unitMessages, []string{attrActor},
		"how many messages waited behind the one that an actor handled", lengths}
	actorFailures = instrument{"granary.actor.failures", counter, "{failure}", []string{attrDirective},
		"decisions of supervisors about actors that failed", nil}
	deadLetters = instrument{"granary.dead_letters", counter, unitMessages, []string{attrReason},
		"messages that no actor will handle", nil}
	viewChanges = instrument{"granary.cluster.view.changes", counter, "{view}", nil,
		"views of the cluster that this process has taken notice of", nil}
	slotsMoved = instrument{"granary.cluster.slots.moved", counter, "{slot}", nil,
		"slots of identities that a new view gave to another owner", nil}
	leaseChanges = instrument{"granary.lease.changes", counter, "{change}", []string{attrPhase},
		"changes of the phase of this member's lease", nil}
)

// Those that are read when metrics are collected.
var (
	activeGrains = instrument{"granary.grains.active", watchedGauge, unitActivation, []string{attrKind},
		"activations in this process", nil}
	members = instrument{"granary.cluster.members", watchedGauge, "{member}", []string{attrState},
		"members in the view of this process", nil}
	viewEpoch = instrument{"granary.cluster.view.epoch", watchedGauge, "{view}", nil,
		"number of the view of this process", nil}
	viewsRefused = instrument{"granary.cluster.views.refused", watchedCounter, "{view}", nil,
		"views of the membership provider that repeated, went back, or that no cluster can have", nil}
	leasesEnded = instrument{"granary.lease.ends", watchedCounter, "{lease}", nil,
		"leases of this process that ended while it was in the view", nil}
	leaseMargin = instrument{"granary.lease.margin", watchedGauge, unitSeconds, nil,
		"how long the lease of this member lasts if it is not renewed", nil}
	turnsRefused = instrument{"granary.lease.turns.refused", watchedCounter, unitMessages, nil,
		"messages to leased grains that came after the lease had ended", nil}
	withheld = instrument{"granary.lease.messages.withheld", watchedCounter, unitMessages, nil,
		"replies and messages of leased grains that did not get out", nil}
	evictions = instrument{"granary.evictions", watchedCounter, unitActivation, nil,
		"activations stopped to make room for others of their kind", nil}
	connections = instrument{"granary.remote.connections", watchedGauge, "{connection}", nil,
		"processes that this one is connected to", nil}
	remoteMessages = instrument{"granary.remote.messages", watchedCounter, unitMessages, []string{attrDirection},
		"messages sent to and received from other processes", nil}
	remoteBytes = instrument{"granary.remote.io", watchedCounter, unitBytes, []string{attrDirection},
		"bytes of messages sent to and received from other processes, without what gRPC and TLS add", nil}
	undecodable = instrument{"granary.remote.undecodable", watchedCounter, unitMessages, nil,
		"received messages that could not be read", nil}
	refusedConnections = instrument{"granary.remote.connections.refused", watchedCounter, "{connection}", nil,
		"connections that were turned down", nil}
	queuedMessages = instrument{"granary.remote.queue.messages", watchedGauge, unitMessages, []string{attrPeer},
		"messages that wait to be written to a member; all that is no member is one peer, \"other\"", nil}
	queuedBytes = instrument{"granary.remote.queue.size", watchedGauge, unitBytes, []string{attrPeer},
		"bytes that wait to be written to a member", nil}
	peerFailures = instrument{"granary.remote.dial.failures", watchedGauge, "{attempt}", []string{attrPeer},
		"attempts in a row that failed to reach a member", nil}
)

// instruments are all there are.
var instruments = []instrument{
	callDuration, callRetries, resolveDuration, placeDuration, activationDuration, deactivations, activeGrains, evictions, methodDuration,
	handlerDuration, mailboxLength, actorFailures, deadLetters,
	members, viewEpoch, viewChanges, viewsRefused, slotsMoved,
	leaseMargin, leaseChanges, leasesEnded, turnsRefused, withheld,
	connections, refusedConnections, remoteMessages, remoteBytes, undecodable, queuedMessages, queuedBytes, peerFailures,
}

// recorders are the instruments that are recorded when something happens.
type recorders struct {
	callDuration, resolveDuration, placeDuration, activationDuration, methodDuration, handlerDuration metric.Float64Histogram
	mailboxLength                                                                                     metric.Int64Histogram
	callRetries, deactivations, actorFailures, deadLetters, viewChanges, slotsMoved, leaseChanges     metric.Int64Counter
}

// maker makes instruments and gathers what is wrong with them.
type maker struct {
	meter metric.Meter
	errs  []error
}

func (m *maker) failed(i instrument, err error) {
	if err != nil {
		m.errs = append(m.errs, fmt.Errorf("otel: make %s: %w", i.name, err))
	}
}

func (m *maker) seconds(i instrument) metric.Float64Histogram {
	h, err := m.meter.Float64Histogram(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description),
		metric.WithExplicitBucketBoundaries(i.buckets...))
	m.failed(i, err)
	return h
}

func (m *maker) counter(i instrument) metric.Int64Counter {
	c, err := m.meter.Int64Counter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	m.failed(i, err)
	return c
}

func newRecorders(meter metric.Meter) (*recorders, error) {
	m := &maker{meter: meter}
	r := &recorders{
		callDuration: m.seconds(callDuration), resolveDuration: m.seconds(resolveDuration), placeDuration: m.seconds(placeDuration),
		activationDuration: m.seconds(activationDuration), methodDuration: m.seconds(methodDuration),
		handlerDuration: m.seconds(handlerDuration),
		callRetries:     m.counter(callRetries), deactivations: m.counter(deactivations), actorFailures: m.counter(actorFailures),
		deadLetters: m.counter(deadLetters), viewChanges: m.counter(viewChanges), slotsMoved: m.counter(slotsMoved),
		leaseChanges: m.counter(leaseChanges),
	}
	length, err := meter.Int64Histogram(mailboxLength.name, metric.WithUnit(mailboxLength.unit),
		metric.WithDescription(mailboxLength.description), metric.WithExplicitBucketBoundaries(mailboxLength.buckets...))
	m.failed(mailboxLength, err)
	r.mailboxLength = length
	return r, errors.Join(m.errs...)
}
