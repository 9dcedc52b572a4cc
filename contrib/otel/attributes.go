package granaryotel

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

// maxKept bounds what is kept of each sort. The programs of a cluster have some
// hundreds of kinds and methods; what goes beyond is made anew each time.
const maxKept = 4096

// kept keeps what takes longer to make than a call. It is copied when something is
// added, so that who looks waits for nobody.
type kept[V any] struct {
	mu   sync.Mutex // for who adds
	made atomic.Pointer[map[[3]string]V]
}

func (k *kept[V]) get(key [3]string) (v V, has bool) {
	if made := k.made.Load(); made != nil {
		v, has = (*made)[key]
	}
	return v, has
}

func (k *kept[V]) put(key [3]string, v V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	more := make(map[[3]string]V)
	if made := k.made.Load(); made != nil {
		if len(*made) >= maxKept {
			return
		}
		maps.Copy(more, *made)
	}
	more[key] = v
	k.made.Store(&more)
}

// sets keeps the attributes of a metric.
type sets struct {
	names []string // of the attributes
	kept  kept[metric.MeasurementOption]
}

func newSets(names ...string) *sets { return &sets{names: names} }

// of gives the set with these values, in the order of the names. What is empty is
// left out.
func (s *sets) of(values [3]string) metric.MeasurementOption {
	if set, ok := s.kept.get(values); ok {
		return set
	}
	var attrs []attribute.KeyValue
	for i, name := range s.names {
		if values[i] != "" {
			attrs = append(attrs, attribute.String(name, values[i]))
		}
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	s.kept.put(values, set)
	return set
}

// errorTypes are the words for errors of the cluster, the most telling first.
var errorTypes = []struct {
	err  error
	word string
}{
	{cluster.ErrUnknownOutcome, "unknown_outcome"},
	{cluster.ErrCallCycle, "call_cycle"},
	{cluster.ErrCallDepth, "call_depth"},
	{cluster.ErrNoMemberForKind, "no_member_for_kind"},
	{cluster.ErrNoView, "no_view"},
	{cluster.ErrTimeout, "timeout"},
	{context.DeadlineExceeded, "timeout"},
	{context.Canceled, "canceled"},
	{cluster.ErrInvalidIdentity, "invalid_identity"},
	{cluster.ErrInvalidMessage, "invalid_message"},
	{cluster.ErrUnexpectedReply, "unexpected_reply"},
	{cluster.ErrShutdown, "shutdown"},
	{cluster.ErrNotStarted, "not_started"},
	{actor.ErrDeadLetter, "dead_letter"},
}

// errorType is the word for an error: "" for none, one of a few dozen else. A code of
// the application's is one word for all.
func errorType(err error) string {
	if err == nil {
		return ""
	}
	if ge, ok := err.(*cluster.GrainError); ok { //nolint:errorlint // one that is wrapped is an error of the call
		if ge.Code >= cluster.CodeApplication {
			return "grain_application"
		}
		return "grain_" + strings.ReplaceAll(ge.Code.String(), " ", "_")
	}
	for _, known := range errorTypes {
		if errors.Is(err, known.err) {
			return known.word
		}
	}
	return otherWord
}

// madeUp reports whether the kind or the method of a call may be anything, because
// nobody has them: its words are no attributes of metrics.
func madeUp(err error) bool {
	if err == nil {
		return false
	}
	ge, ok := errors.AsType[*cluster.GrainError](err)
	return ok && ge.Code == cluster.CodeUnknownMethod || errors.Is(err, cluster.ErrInvalidIdentity) || errors.Is(err, cluster.ErrNoMemberForKind)
}

// reasons are the words for dead letters, of which some say more than a metric
// should.
var reasons = map[string]string{
	actor.DeadLetterNoActor: "no_actor", actor.DeadLetterStopped: "stopped", actor.DeadLetterNoTarget: "no_target",
	actor.DeadLetterNilMessage: "nil_message", actor.DeadLetterMailboxFull: "mailbox_full", actor.DeadLetterStashFull: "stash_full",
	actor.DeadLetterRestarted: "restarted", actor.DeadLetterNoBehavior: "no_behavior", actor.DeadLetterMiddleware: "middleware_panicked",
	actor.DeadLetterNoTransport: "no_transport", cluster.ReasonFenced: "fenced", cluster.ReasonNotStored: "not_stored",
}

func reasonWord(reason string) string {
	if word, known := reasons[reason]; known {
		return word
	}
	switch {
	case strings.HasPrefix(reason, remote.ReasonUnsendable):
		return "unsendable"
	case strings.HasPrefix(reason, remote.ReasonUnreadable):
		return "unreadable"
	case strings.HasPrefix(reason, "remote: the queue to "):
		return "queue_full"
	case strings.HasPrefix(reason, "remote: "):
		return "unreachable"
	default:
		return otherWord
	}
}
