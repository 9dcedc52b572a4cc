package demo

import (
	"slices"
	"sync"
	"time"

	"github.com/granary-go/granary/dashboard"
)

// stats counts calls: those of the second that is under way, and all.
type stats struct {
	mu        sync.Mutex // guards all below
	latencies []time.Duration
	now       second
	last      second // that was taken last
	total     totals
}

// second is what there is to say about the calls of a second.
type second struct {
	calls    int // answered
	errors   int
	waiting  int // not answered yet
	p50, p99 time.Duration
}

// totals are the calls since the beginning.
type totals struct {
	calls, errors int
	longest       time.Duration
	causes        []string // of the first errors
}

const keptCauses = 3

func (s *stats) begin() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.waiting++
	return time.Now()
}

func (s *stats) end(began time.Time, err error) {
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.waiting--
	if err != nil {
		s.now.errors++
		if s.total.errors++; len(s.total.causes) < keptCauses {
			s.total.causes = append(s.total.causes, err.Error())
		}
		return
	}
	s.now.calls++
	s.total.calls++
	s.total.longest = max(s.total.longest, took)
	s.latencies = append(s.latencies, took)
}

// take ends the second that is under way.
func (s *stats) take() second {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.now
	slices.Sort(s.latencies)
	done.p50, done.p99 = percentile(s.latencies, 50), percentile(s.latencies, 99)
	s.latencies = s.latencies[:0]
	s.now, s.last = second{waiting: done.waiting}, done
	return done
}

// shown are the calls as the dashboard shows them.
func (s *stats) shown() dashboard.Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	return dashboard.Calls{
		Answered: uint64(s.total.calls), Failed: uint64(s.total.errors), Waiting: s.now.waiting, P50: s.last.p50, P99: s.last.p99,
	}
}

func (s *stats) all() totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.total
	t.causes = slices.Clone(t.causes)
	return t
}

// percentile gives the smallest of sorted durations that p percent of them do
// not exceed; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
