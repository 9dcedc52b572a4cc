package dashboard

import (
	"time"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// snapshot is how the cluster is at a moment, as the page shows it.
type snapshot struct {
	At   int64   `json:"at"`   // Unix milliseconds
	Took float64 `json:"took"` // milliseconds
	// Error says why there is nothing else.
	Error string `json:"error,omitempty"`

	Cluster     string `json:"cluster"`
	Incarnation string `json:"incarnation"`
	Epoch       big    `json:"epoch"`
	AnsweredBy  ref    `json:"answeredBy"`
	Viewers     int    `json:"viewers"`

	Members     []member  `json:"members"`
	MoreMembers int       `json:"moreMembers,omitempty"`
	Gone        []gone    `json:"gone,omitempty"`
	Kinds       []kind    `json:"kinds"`
	MoreKinds   int       `json:"moreKinds,omitempty"`
	Slots       *slots    `json:"slots,omitempty"`
	Totals      totals    `json:"totals"`
	Problems    []problem `json:"problems,omitempty"`
	// MoreProblems are those beyond the ones that are named.
	MoreProblems int `json:"moreProblems,omitempty"`
}

// problem is a member, or a part of the cluster, that gave no answer.
type problem struct {
	Member *ref   `json:"member,omitempty"`
	Why    string `json:"why"`
}

type member struct {
	ref

	State    string   `json:"state"`
	Kinds    []string `json:"kinds,omitempty"`
	Labels   []string `json:"labels,omitempty"`
	Slots    uint32   `json:"slots"`
	Answered bool     `json:"answered"`
	Ready    bool     `json:"ready"`
	Unready  []string `json:"unready,omitempty"`
	Lease    string   `json:"lease,omitempty"`
	Up       int64    `json:"up"` // seconds
	Active   int64    `json:"active"`
	Handled  *float64 `json:"handled,omitempty"`
	Traffic  *float64 `json:"traffic,omitempty"` // messages from and to others, in a second
	Moving   uint32   `json:"moving"`
	Waiting  int64    `json:"waiting"`
	Dead     uint64   `json:"dead"`
	Fenced   int64    `json:"fenced,omitempty"`
	Heap     uint64   `json:"heap"` // bytes
	Routines uint64   `json:"routines"`
	Version  string   `json:"version,omitempty"`
	Allowed  []string `json:"allowed,omitempty"`
}

type totals struct {
	Members  int      `json:"members"`
	Ready    int      `json:"ready"`
	Leaving  int      `json:"leaving"`
	Silent   int      `json:"silent"`
	Active   int64    `json:"active"`
	Waiting  int64    `json:"waiting"`
	Dead     uint64   `json:"dead"`
	Moving   int      `json:"moving"`
	Handled  *float64 `json:"handled,omitempty"`
	DeadRate *float64 `json:"deadRate,omitempty"`
	Calls    *calls   `json:"calls,omitempty"`
}

type calls struct {
	Rate    *float64 `json:"rate,omitempty"`
	Failed  *float64 `json:"failed,omitempty"`
	Waiting int      `json:"waiting"`
	P50     float64  `json:"p50"` // milliseconds
	P99     float64  `json:"p99"`
}

type kind struct {
	Name      string   `json:"name"`
	Guarantee string   `json:"guarantee"`
	Strategy  string   `json:"strategy"`
	Active    int64    `json:"active"`
	Activated int64    `json:"activated"`
	Handled   *float64 `json:"handled,omitempty"`
	// On are the members that have some, by id.
	On []share `json:"on,omitempty"`
}

// share is what a member has of something.
type share struct {
	ID     string `json:"id"`
	Count  int64  `json:"count"`
	Moving int    `json:"moving,omitempty"`
}

type slots struct {
	InDatabase bool `json:"inDatabase,omitempty"`
	Total      int  `json:"total"`
	Nobody     int  `json:"nobody"`
	Moving     int  `json:"moving"`
	// Owners are those that own some, in order of seniority.
	Owners []share `json:"owners,omitempty"`
}

// answers is what the cluster has said at a moment.
type answers struct {
	at      time.Time
	took    time.Duration
	members *pb.MembersResponse
	kinds   *pb.KindsResponse
	slots   *pb.SlotsResponse
	errs    [3]error // in this order
}

// build makes a snapshot, and the point of the plots. Rates are kept from one to the next.
func (a *answers) build(r *rates, counts *Calls) *snapshot {
	s := &snapshot{At: a.at.UnixMilli(), Took: millis(a.took), Members: []member{}, Kinds: []kind{}}
	if a.errs[0] != nil {
		s.Error = words(a.errs[0])
		return s
	}
	m := a.members
	s.Cluster, s.Incarnation, s.Epoch = short(m.GetCluster(), maxText), short(m.GetIncarnation(), maxText), big(m.GetEpoch())
	s.AnsweredBy = refOf(m.GetAnsweredBy())
	s.takeMembers(m.GetMembers(), r)
	s.takeKinds(a.kinds, a.at, r)
	s.takeSlots(a.slots)
	for i, what := range []string{"members", "kinds", "slots"} {
		if a.errs[i] != nil {
			s.complain(nil, what+" were not told: "+words(a.errs[i]))
		}
	}
	known := make(map[string]bool) // a member that is silent is silent to all questions
	for _, failures := range [][]*pb.Failure{m.GetFailures(), a.kinds.GetFailures(), a.slots.GetFailures()} {
		for _, f := range failures {
			who := refOf(f.GetMember())
			if known[who.ID] {
				continue
			}
			known[who.ID] = true
			s.complain(&who, short(f.GetWhy(), maxText))
		}
	}
	if counts != nil {
		s.Totals.Calls = &calls{
			Rate: r.of("answered", a.at, counts.Answered), Failed: r.of("failed", a.at, counts.Failed),
			Waiting: counts.Waiting, P50: millis(counts.P50), P99: millis(counts.P99),
		}
	}
	r.forget()
	return s
}

func (s *snapshot) complain(who *ref, why string) {
	if len(s.Problems) == maxProblems {
		s.MoreProblems++
		return
	}
	s.Problems = append(s.Problems, problem{who, why})
}

// point is what the plots have of a snapshot.
func (s *snapshot) point() point {
	t := &s.Totals
	p := point{
		At: s.At, Handled: t.Handled, Dead: t.DeadRate, Active: t.Active, Waiting: t.Waiting, Moving: t.Moving, Took: s.Took,
	}
	if c := t.Calls; c != nil {
		p.Calls, p.Failed = c.Rate, c.Failed
		if c.P99 > 0 {
			p.P50, p.P99 = &c.P50, &c.P99
		}
	}
	return p
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
