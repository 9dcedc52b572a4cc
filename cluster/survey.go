package cluster

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxBusiest bounds the grains that a survey names.
	MaxBusiest = 50
	// A survey is as old as surveyEvery at most, or as surveyShare times what it
	// took: so it takes a small part of a core, however many grains there are and
	// however many people look.
	surveyEvery = time.Second
	surveyShare = 20
)

// Survey is what a process hosts, by kind.
type Survey struct {
	// At is when it was made, and Over the time that the rates are of: since the survey
	// before, or for the first since the cluster was made.
	At   time.Time
	Over time.Duration
	// Kinds are those that the process is configured with, by name.
	Kinds map[string]KindSurvey
	// Busiest are the grains that handled the most messages in that time,
	// MaxBusiest at most, the busiest first.
	Busiest []BusyActivation
}

// KindSurvey is what a process has of a kind.
type KindSurvey struct {
	// Active counts the grains that are active, Activated those that ever were, and
	// Handled the messages that all of them got.
	Active, Activated int64
	Handled           uint64
}

// BusyActivation is a grain that had much to do.
type BusyActivation struct {
	Activation
	// Lately counts the messages in the time of the survey.
	Lately uint64
}

// kindCounts counts what a survey would have to remember.
type kindCounts struct {
	active, activated atomic.Int64
	handled           atomic.Uint64 // by activations that have ended
}

// newKindCounts makes the counts of kinds, which may be nonsense: Start says so.
func newKindCounts(kinds []*Kind) map[string]*kindCounts {
	counts := make(map[string]*kindCounts, len(kinds))
	for _, k := range kinds {
		if k != nil {
			counts[k.name] = new(kindCounts)
		}
	}
	return counts
}

// surveyor makes surveys, one for all who ask within a while.
type surveyor struct {
	began time.Time // when the cluster was made

	mu   sync.Mutex // guards what follows and activation.surveyed
	last Survey
	took time.Duration
}

// Active counts the grains of all kinds that are active in this process.
func (i Inspector) Active() (n int64) {
	for _, counts := range i.cluster.activations.kinds {
		n += counts.active.Load()
	}
	return n
}

// Survey looks at all grains that are active in this process. It may be a second old, or
// twenty times as old as it takes to make one. It is shared, and must not be changed.
func (i Inspector) Survey() Survey {
	s := &i.cluster.survey
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	if age := began.Sub(s.last.At); !s.last.At.IsZero() && age < max(surveyEvery, surveyShare*s.took) {
		return s.last
	}
	next := i.cluster.activations.survey()
	next.At = began
	since := s.last.At
	if since.IsZero() {
		since = s.began
	}
	next.Over = began.Sub(since)
	s.last, s.took = next, time.Since(began)
	return next
}

// survey is made by one goroutine at a time.
func (a *activations) survey() Survey {
	s := Survey{Kinds: make(map[string]KindSurvey, len(a.kinds))}
	running := make(map[string]*uint64, len(a.kinds))
	for name := range a.kinds {
		running[name] = new(uint64)
	}
	var busiest busiest
	a.byPID.Range(func(_, v any) bool {
		act, ok := v.(*activation)
		if !ok {
			return true
		}
		handled := act.handled.Load()
		if sum := running[act.identity.Kind]; sum != nil {
			*sum += handled
		}
		busiest.add(act, handled-act.surveyed)
		act.surveyed = handled
		return true
	})
	for name, counts := range a.kinds {
		// What ends in between is counted in neither, or in both: the sum is of people's interest only.
		s.Kinds[name] = KindSurvey{
			Active: counts.active.Load(), Activated: counts.activated.Load(), Handled: counts.handled.Load() + *running[name],
		}
	}
	s.Busiest = busiest.all
	return s
}

// busiest keeps those that had the most to do, in order.
type busiest struct{ all []BusyActivation }

func (b *busiest) add(act *activation, lately uint64) {
	if lately == 0 || len(b.all) == MaxBusiest && lately <= b.all[MaxBusiest-1].Lately {
		return
	}
	at, _ := slices.BinarySearchFunc(b.all, lately, func(had BusyActivation, n uint64) int {
		if had.Lately >= n {
			return -1
		}
		return 1
	})
	b.all = slices.Insert(b.all, at, BusyActivation{act.shown(), lately})
	b.all = b.all[:min(len(b.all), MaxBusiest)]
}
